"""What `switchhook leads rules` does and prints."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from crm_sync.book.past_calls import past_calls
from crm_sync.book.rule_replay import replay, summary
from directory import file, store
from directory.lead_policy import BUILT_IN
from service.faults import UserFault
from service.settings import Settings
from service.wiring import open_house


async def list_rules(settings: Settings, rules: Path | None) -> tuple[dict[str, Any], str]:
    """(JSON, a line each): the house's own, then those that are built in."""
    wanted = file.load(rules) if rules is not None else None
    if wanted is None:
        async with open_house(settings, pool=1) as house, house.engine.connect() as connection:
            wanted = await store.read(connection)
    lines = [f"{rule.name:<24}  makes {rule.make}" for rule in wanted.leads.rules]
    lines += [f"{rule.name:<24}  makes {rule.make}  (built in)" for rule in BUILT_IN]
    told = {"rules": msgspec.to_builtins(wanted.leads.rules), "built_in": msgspec.to_builtins(BUILT_IN)}
    return told, "\n".join(lines)


async def replay_rules(
    settings: Settings, since: datetime, until: datetime, rules: Path | None
) -> tuple[dict[str, Any], str]:
    """(JSON, words) of what the rules would have made of a period's calls, each on the book as it was then."""
    if since >= until:
        raise UserFault(f"--from: must be before --to, got {since.isoformat()}")
    wanted = file.load(rules) if rules is not None else None
    async with open_house(settings, pool=1) as house, house.engine.connect() as connection:
        directory = wanted or await store.read(connection)
        found = replay(directory.leads, await past_calls(connection, directory, since, until))
    differing = [one for one in found if one.differs]
    told = {
        "from": since.isoformat(),
        "to": until.isoformat(),
        "calls": len(found),
        "rules": summary(found),
        "differences": [one.to_json() for one in differing],
    }
    lines = [f"{len(found)} calls, {len(differing)} would make something else"]
    lines += [f"  {count:>6}  {rule}" for rule, count in summary(found).items()]
    lines += [
        f"{one.call.id}  {one.call.facts.kind}: {one.call.created} -> {one.created} (rule {one.rule})"
        for one in differing
    ]
    return told, "\n".join(lines)

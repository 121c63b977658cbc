"""What a person told of a connection, checked and as it is kept: its key, settings, steps and addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from yarl import URL

from crm_sync import connections
from crm_sync.asking import Fault, Faults, missing_way, read_settings
from crm_sync.connections import LINK_DAYS
from crm_sync.crm import Step
from crm_sync.workplace import Kind
from directory.networks import Network, RefusedError, check_target, is_inside
from web.links import DAYS_MOST

_DOOR_SIGNS: Final = 24
"""The secret of an address is all that verifies who comes: one that is shorter could be guessed."""
_SCHEMES: Final = ("http://", "https://")


def settings_of(
    kind: Kind, told: Mapping[str, Any], given: Mapping[str, Any], days: str | int, faults: Iterable[Fault] = ()
) -> dict[str, Any]:
    """The settings as they are kept; all that is wrong with what was told is named at once. Raises Faults."""
    wrong, kept = list(faults), {}
    try:
        kept = read_settings(kind.settings, kind.guide, told)
    except Faults as found:
        wrong += found.told
    wrong += [Fault(name, "required") for name in kind.required if not given.get(name)]
    if kind.door and 0 < len(given.get(kind.door, "")) < _DOOR_SIGNS:
        wrong.append(Fault(kind.door, "short", {"least": str(_DOOR_SIGNS), "got": str(len(given[kind.door]))}))
    lacks = missing_way(kind.guide, [name for name in (*told, *given) if told.get(name) or given.get(name)])
    link_days = int(days) if str(days).isascii() and str(days).isdecimal() and len(str(days)) < 6 else 0
    if not 1 <= link_days <= DAYS_MOST:
        wrong.append(Fault("link_days", "days", {"most": str(DAYS_MOST), "got": str(days)}))
    if wrong or lacks:
        raise Faults(*wrong, *([lacks] if lacks else []))
    if kind.address is not None:
        check_url(given[kind.address])
        kept = connections.settled(given[kind.address], kept)
    return kept | ({"link_days": link_days} if link_days != LINK_DAYS else {})


def faults_of_key(key: str) -> list[Fault]:
    """What is wrong with a connection's name."""
    if connections.is_key(key):
        return []
    return [Fault("connection", "kept" if key in connections.OUR_PAGES else "key", {"got": repr(key)})]


def steps_of(kind: Kind, events: Sequence[str]) -> tuple[Step, ...]:
    """What it is told, of the names that a person chose."""
    if wrong := next((name for name in events if name not in kind.events), None):
        raise Faults(Fault("event", "event", {"choices": ", ".join(kind.events), "got": repr(wrong)}))
    return tuple(kind.events[name] for name in events) or kind.steps


def check_url(told: str) -> None:
    """Check an address that is sent to. Raises Faults."""
    url = _url(told)
    if url is None or url.scheme not in {"http", "https"} or url.user or url.fragment:
        # Not repeated: whoever knows an address may need no more to send there.
        raise Faults(Fault("url", "address"))


def _url(told: str) -> URL | None:
    """An address with a host; None for what is none."""
    try:
        url = URL(told)
    except ValueError:
        return None
    return url if url.host else None


async def check_addresses(told: Mapping[str, Any], networks: Sequence[Network]) -> None:
    """Refuse addresses where nothing would be sent, and those whose traffic all could read outside the house."""
    for name, value in told.items():
        if not isinstance(value, str) or (
            not (is_url := value.lower().startswith(_SCHEMES)) and (name not in connections.PLACES or not value)
        ):
            continue
        url = _url(value if is_url else f"https://{value}")
        if url is None:
            raise Faults(Fault(name, "address"))
        if url.scheme == "http" and not await is_inside(url.host or "", networks):
            raise Faults(Fault(name, "plain"))
        try:
            await check_target(url, networks)
        except RefusedError:
            raise Faults(Fault(name, "inside")) from None

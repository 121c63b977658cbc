"""What questions of missed calls share: their cause, whose business it is, whose phone was out of reach."""

from __future__ import annotations

from typing import Final

from calls.missed import GROUPS

CAUSE: Final = "coalesce(missed_cause, 'unknown')"

OUT_OF_REACH: Final = f"{CAUSE} = 'device_unreachable'"

WHOSE_PHONE: Final = """cross join lateral (
        select person from legs where call_id = calls.id and person is not null
           and outcome in ('unavailable', 'congestion', 'failed')
        union select considered ->> 'person'
        from jsonb_path_query(state, '$.facts[*] ? (@.kind == "Routed").plan') as told (plan)
        cross join jsonb_array_elements(cast(plan #>> '{}' as jsonb) -> 'considered') as considered
        where considered ->> 'key' = 'unreachable') as gone (who)"""
"""Whose phone it was that calls could not reach: the plan leaves a phone out that is known to be gone, else the leg
failed."""


def one_of(causes: tuple[str, ...]) -> str:
    """Whether a call was missed by one of these causes."""
    listed = ", ".join(f"'{cause}'" for cause in causes)
    return f"{CAUSE} in ({listed})"


def of_group(group: str) -> str:
    """Whether its cause is the business of `group`."""
    return one_of(tuple(cause for cause, of in GROUPS.items() if of == group))

"""The file's `nps:`, read from YAML nodes."""

from typing import Final, cast

from directory import values
from directory.nodes import Fields, Reading, Table
from directory.nps import (
    COMMENT_SECONDS_MOST,
    DAYS_MOST,
    DELAY_MINUTES_MOST,
    NO_NPS,
    STAGES,
    WAYS,
    NpsPolicy,
    TalkShare,
    Way,
)

_POLICY: Final = (
    "way", "stages", "steps", "talks", "days_between", "delay_minutes", "hours", "prompt", "comment_prompt",
    "comment_seconds",
)  # fmt: skip
_TALK: Final = ("line", "percent")


def read_nps(reading: Reading, table: Table, region: str) -> NpsPolicy:
    """Read whom the house asks how willing they are to recommend it; nothing told: nobody."""
    fields = Fields(reading, "nps", reading.mapping(table.get("nps"), "nps", _POLICY))
    policy = NpsPolicy(
        way=cast("Way", fields.text("way", values.one_of(WAYS)) or NO_NPS.way),
        stages=fields.some("stages", values.one_of(STAGES)),
        steps=fields.some("steps", values.key),
        talks=tuple(
            _talk(Fields(reading, path, reading.mapping(node, path, _TALK)), region)
            for path, node in reading.entries(fields.table.get("talks"), "nps.talks")
        ),
        days_between=fields.whole("days_between", NO_NPS.days_between, 1, DAYS_MOST),
        delay_minutes=fields.whole("delay_minutes", NO_NPS.delay_minutes, 0, DELAY_MINUTES_MOST),
        hours=fields.text("hours"),
        prompt=fields.text("prompt", values.message) or "",
        comment_prompt=fields.text("comment_prompt", values.message) or "",
        comment_seconds=fields.whole("comment_seconds", NO_NPS.comment_seconds, 5, COMMENT_SECONDS_MOST),
    )
    if policy.asks and policy.way == "call" and "prompt" not in fields.table:
        reading.fault("nps.prompt", "is missing: the sound in which the call asks, as custom/nps")
    return policy


def _talk(fields: Fields, region: str) -> TalkShare:
    if "percent" not in fields.table:
        fields.reading.fault(f"{fields.path}.percent", "is missing: of a hundred talks so many are asked about")
    return TalkShare(line=fields.needed("line", values.line(region)), percent=fields.whole("percent", 1, 1, 100))

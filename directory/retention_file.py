"""The `retention:` of the company and of a line, read from YAML nodes."""

from directory.nodes import Fields
from directory.retention import DAYS_MOST, FOREVER, KEPT, STATUSES, Keep, Retention

_FOREVER = "forever"


def read_retention(fields: Fields) -> Retention:
    """Read how long things are kept; nothing told: nothing said."""
    own = _inside(fields, "retention", (*KEPT, *STATUSES))
    told = ((status, Keep(**_days(_inside(own, status, KEPT)))) for status in STATUSES if status in own.table)
    return Retention(statuses=tuple((status, days) for status, days in told if days != Keep()), **_days(own))


def _inside(fields: Fields, name: str, known: tuple[str, ...]) -> Fields:
    path = f"{fields.path}.{name}"
    return Fields(fields.reading, path, fields.reading.mapping(fields.table.get(name), path, known))


def _days(fields: Fields) -> dict[str, int | None]:
    told = {kind: fields.text(kind, _checked) for kind in KEPT}
    return {kind: FOREVER if days == _FOREVER else int(days) if days else None for kind, days in told.items()}


def _checked(value: str) -> str:
    if value != _FOREVER and not (value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= DAYS_MOST):
        raise ValueError(f"must be a number of days from 1 to {DAYS_MOST}, or {_FOREVER}, got {value!r}")
    return value

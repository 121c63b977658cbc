"""Finds what waits to be called back: the most urgent first, and how much of it by cause and by age."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, func, literal_column, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from calls import claims
from calls.follow_up import ORIGINS
from calls.follow_up_list import OPEN, OVERDUE, most_urgent
from calls.missed import CAUSES
from calls.tables import follow_ups
from crm_sync.tables import parties, party_numbers
from web.filters import FilterError

WHYS: Final = (*ORIGINS[:0:-1], *CAUSES)
"""Why somebody waits: they asked for it, left a message, or were missed for a cause."""

AGES: Final = ("hour", "day", "days", "older")
"""Waiting for less than an hour, a day, three days, or longer."""

MINE: Final = "me"
NOBODYS: Final = "-"
PAGE: Final = 50
MOST: Final = 200

_ENDS: Final = dict(zip(AGES, ("1 hour", "1 day", "3 days"), strict=False))
_AGE: Final = case(
    *(
        (follow_ups.c.opened_at > func.clock_timestamp() - literal_column(f"interval '{end}'"), age)
        for age, end in _ENDS.items()
    ),
    else_=AGES[-1],
)
_WHY: Final = case(
    (follow_ups.c.origin != ORIGINS[0], follow_ups.c.origin), else_=func.coalesce(follow_ups.c.cause, CAUSES[-1])
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which of the promises, empty for any, and how many of them are shown."""

    why: str = ""
    age: str = ""
    line: str = ""
    owner: str = ""
    most: int = PAGE

    @property
    def kept(self) -> dict[str, str]:
        """The filters as the page's address has them."""
        told = {"why": self.why, "age": self.age, "line": self.line, "owner": self.owner}
        return {name: value for name, value in told.items() if value}


@dataclass(frozen=True, slots=True)
class Waiting:
    """`rows` as `follow_up_list` gives them, with party, wish and claim; `more`: there are others.

    The counts are of all that the viewer may see, whatever filters are set.
    """

    rows: Sequence[Any]
    more: bool
    total: int
    overdue: int
    by_why: Mapping[str, int]
    by_age: Mapping[str, int]


def read_asked(query: Mapping[str, str]) -> Asked:
    """What the page's address asks. Raises FilterError."""
    most = query.get("most", str(PAGE))
    if not (most.isascii() and most.isdecimal() and len(most) <= 3 and PAGE <= int(most) <= MOST):
        raise FilterError("most", f"must be from {PAGE} to {MOST}")
    for name, known in (("why", WHYS), ("age", AGES)):
        if query.get(name) and query[name] not in known:
            raise FilterError(name, f"must be one of {', '.join(known)}")
    told = {name: query.get(name, "") for name in ("why", "age", "line", "owner")}
    return Asked(**told, most=int(most))


async def waiting(connection: AsyncConnection, mine: ColumnElement[bool], asked: Asked, person: str | None) -> Waiting:
    """The open promises that fit, of those that are `mine` to see; `person` is whose MINE is."""
    party = select(parties).join(party_numbers).where(party_numbers.c.number == follow_ups.c.number)
    name = party.with_only_columns(parties.c.name, maintain_column_froms=True).limit(1)
    unwanted = party.with_only_columns(parties.c.do_not_call_at.is_not(None), maintain_column_froms=True).limit(1)
    told = (
        name.scalar_subquery().label("party"),
        unwanted.scalar_subquery().label("unwanted"),
        claims.WHO,
        claims.SINCE,
        _WHY.label("why"),
    )
    found = most_urgent(mine, _fits(asked, person)).add_columns(*told).limit(asked.most + 1)
    rows = (await connection.execute(found)).all()
    counted = select(_WHY.label("why"), _AGE.label("age"), OVERDUE.label("overdue"), func.count().label("n"))
    counts = (await connection.execute(counted.where(OPEN, mine).group_by("why", "age", "overdue"))).all()
    by_why, by_age = Counter[str](), Counter[str]()
    for row in counts:
        by_why[row.why] += row.n
        by_age[row.age] += row.n
    return Waiting(
        rows=rows[: asked.most],
        more=len(rows) > asked.most,
        total=sum(row.n for row in counts),
        overdue=sum(row.n for row in counts if row.overdue),
        by_why=dict(by_why.most_common()),
        by_age={age: by_age[age] for age in AGES if by_age[age]},
    )


def _fits(asked: Asked, person: str | None) -> ColumnElement[bool]:
    fits: list[ColumnElement[bool]] = [true()]
    if asked.why:
        fits.append(_WHY.in_([asked.why]))
    if asked.age:
        fits.append(_AGE.in_([asked.age]))
    if asked.line:
        fits.append(or_(follow_ups.c.line == asked.line, follow_ups.c.line == f"+{asked.line}"))
    if asked.owner == NOBODYS:
        fits.append(follow_ups.c.owner.is_(None))
    elif asked.owner:
        fits.append(follow_ups.c.owner == (person if asked.owner == MINE else asked.owner))
    return and_(*fits)

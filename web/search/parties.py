"""Parties by their names, misspelt or inflected, and by pieces of their numbers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    Text,
    and_,
    any_,
    case,
    desc,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.tables import FOLDED_NAME, parties, party_numbers
from recordings.spoken import stem
from web.rights import Scope, parties_seen
from web.search.asked import Asked, Piece
from web.search.likeness import BEGINS, name_score, number_score, slips_allowed
from web.search.newest import few_of, lately, one_of, stages

LOOKED_AT: Final = 60
"""Parties that are ranked here, or as many as are asked for; PostgreSQL gives those that are most alike.

Leads and calls are looked for of all of them, so there are more than a page shows.
"""

WORDS_MOST: Final = 5
"""What has more words is no name."""

ALIKE: Final = 0.29
"""pg_trgm.word_similarity_threshold: of five letters, one may be wrong; more of a longer word."""

ROOT_LEAST: Final = 4

INDEXED_LEAST: Final = 3
"""Letters anywhere in a name that pg_trgm's index finds."""

MISSPELT_MOST: Final = 2000
"""Names that are like a misspelt one and are compared with it; of more, any."""

_NAME: Final[ColumnElement[str]] = literal_column(FOLDED_NAME.replace("name", "parties.name"), Text)


@dataclass(frozen=True, slots=True)
class FoundParty:
    """A party that answers, with all of its numbers (as stored), those that answer first; `score` from `likeness`.

    Numbers that were not asked for are read of those alone that a page shows.
    """

    id: int
    name: str | None
    numbers: tuple[str, ...]
    do_not_call: bool
    score: float


def is_asked(asked: Asked) -> bool:
    """Whether the query can be one for a party."""
    return bool(asked.pieces or 0 < len(asked.words) <= WORDS_MOST)


async def find(
    connection: AsyncConnection, scope: Scope, asked: Asked, limit: int, *, misspelt: bool = True
) -> tuple[FoundParty, ...]:
    """The parties that answer and may be seen, the best first, LOOKED_AT or some more.

    When more than `limit` answer well, no others are looked for. `misspelt`: where no name has the
    words, those that are like them answer; the transaction's `pg_trgm.word_similarity_threshold` says how much alike.
    The first `limit` have their numbers.
    """
    if not is_asked(asked):
        return ()
    found: dict[int, FoundParty] = {}
    async for some in _stages(connection, asked):
        found |= {one.id: one for one in await _ranked(connection, scope, asked, _likely(asked, some), limit)}
        if sum(one.score >= BEGINS for one in found.values()) > limit:
            break
    if misspelt and not found and any(slips_allowed(word) for word in asked.words):
        found = {one.id: one for one in await _ranked(connection, scope, asked, _likely(asked, None), limit)}
    ranked = sorted(found.values(), key=lambda one: (-one.score, -one.id))
    if asked.pieces or not ranked:
        return tuple(ranked)
    return (*await _with_numbers(connection, ranked[:limit]), *ranked[limit:])


async def _stages(connection: AsyncConnection, asked: Asked) -> AsyncIterator[ColumnElement[bool]]:
    """Conditions on parties to ask with one after the other; of many names, those that are as typed come first."""
    has = and_(true(), *(_named(_root(word)) for word in asked.words))
    if not asked.words or asked.pieces:
        yield has
        return
    few = await few_of(connection, parties.c.id, has)
    if few is None:
        async for some in stages(connection, parties.c.id, _as_typed(asked.words)):
            yield some
        yield and_(has, await lately(connection, parties.c.id))
        yield has
    elif few:
        yield one_of(parties.c.id, few)


async def _ranked(
    connection: AsyncConnection, scope: Scope, asked: Asked, likely: Subquery, limit: int
) -> tuple[FoundParty, ...]:
    # Whether one may be seen is asked of one after the other until there are enough, the most alike first.
    most = max(LOOKED_AT, limit + 1)
    shown = select(likely.c.id).where(parties_seen(scope, likely.c.id)).order_by(*_best(likely)).limit(most)
    numbers: ColumnElement[Any] = null()
    if asked.pieces:
        theirs = select(func.array_agg(party_numbers.c.number)).where(party_numbers.c.party_id == parties.c.id)
        numbers = theirs.scalar_subquery()
    columns = (parties.c.id, parties.c.name, parties.c.do_not_call_at, numbers.label("numbers"))
    found = select(*columns).where(parties.c.id.in_(shown), parties.c.merged_into.is_(None))
    rows = await connection.execute(found)
    return tuple(one for row in rows if (one := _found(asked, row)).score > 0)


async def _with_numbers(connection: AsyncConnection, found: Sequence[FoundParty]) -> list[FoundParty]:
    theirs = one_of(party_numbers.c.party_id, [one.id for one in found])
    asked = select(party_numbers.c.party_id, party_numbers.c.number).where(theirs)
    numbers: dict[int, list[str]] = {}
    for party, number in await connection.execute(asked.order_by(party_numbers.c.number)):
        numbers.setdefault(party, []).append(number)
    return [replace(one, numbers=tuple(numbers.get(one.id, ()))) for one in found]


async def with_merged(connection: AsyncConnection, ids: Sequence[int]) -> list[int]:
    """These parties, and those that turned out to be one of them: calls stay with the party that they came to."""
    gone = select(parties.c.id).where(one_of(parties.c.merged_into, ids))
    return [*ids, *(await connection.execute(gone)).scalars()] if ids else []


def contains(number: ColumnElement[Any], pieces: Sequence[Piece]) -> ColumnElement[bool]:
    """The condition that a column of numbers has all of these pieces."""
    return and_(*(or_(*(number.like(pattern) for pattern in _patterns(piece))) for piece in pieces))


def _patterns(piece: Piece) -> list[str]:
    return [*([f"%{piece.anywhere}%"] if piece.anywhere else []), *(f"{one}%" for one in piece.beginnings)]


def _likely(asked: Asked, some: ColumnElement[bool] | None) -> Subquery:
    """Parties (id, `alike`) that meet a condition or, None, have names like misspelt ones; the most alike first.

    Only when nobody has the words as they were typed, in any inflection, are they taken to be misspelt: to say how
    much a name is alike costs a hundred times what it costs to say that it has a word, so few are asked.
    """
    if not asked.words:
        graded = _graded(asked)
        return _fenced(select(graded.c.party_id.label("id"), graded.c.good.label("alike")))
    # Names that are like another are few, and looked at without reading all parties again to join them.
    named = select(parties.c.id, _NAME.label("name")).where(parties.c.merged_into.is_(None))
    if some is None:
        named = named.where(*(_NAME.op("%>")(_root(word)) for word in asked.words)).limit(MISSPELT_MOST)
    else:
        named = named.where(some)
    likely = named.subquery("named")
    alike = _alike(asked, likely.c.name, misspelt=some is None)
    if not asked.pieces:
        return _fenced(select(likely.c.id, alike.label("alike")))
    graded = _graded(asked)
    both = select(likely.c.id, (alike + graded.c.good).label("alike"))
    return _fenced(both.join(graded, graded.c.party_id == likely.c.id))


def _fenced(likely: Select[Any]) -> Subquery:
    """In their order; OFFSET 0 keeps the planner from asking of each whether it may be seen before they are in it."""
    return likely.order_by(desc("alike"), desc("id")).offset(0).subquery("likely")


def _graded(asked: Asked) -> Subquery:
    """The parties (party_id) whose numbers have the pieces; `good`: 1 where one ends or begins a number."""
    number = party_numbers.c.number
    ends = [f"%{piece.anywhere}" for piece in asked.pieces if piece.anywhere]
    begins = [f"{one}%" for piece in asked.pieces for one in (piece.anywhere, *piece.beginnings) if one]
    good = case((or_(*(number.like(pattern) for pattern in (*ends, *begins))), 1.0), else_=0.0)
    graded = select(party_numbers.c.party_id, func.max(good).label("good")).where(contains(number, asked.pieces))
    return graded.group_by(party_numbers.c.party_id).subquery("graded")


def _alike(asked: Asked, name: ColumnElement[str], *, misspelt: bool) -> ColumnElement[Any]:
    """How much a folded name is like the words."""
    if misspelt:
        return func.least(*(func.word_similarity(word, name) for word in asked.words))
    spaced = _spaced(name)
    starts = and_(*(spaced.like(f"% {word}%") for word in asked.words))
    whole = and_(*(spaced.like(f"% {word} %") for word in asked.words))
    return case((whole, 1.0), (starts, 0.5), else_=0.0)


def _named(root: str) -> ColumnElement[bool]:
    """Whether a name has such a word. Two letters answer where they begin one, and only there the index knows them."""
    return _like_any(["%{}%"] if len(root) >= INDEXED_LEAST else ["{}%", "% {}%", "%-{}%"], root)


def _as_typed(words: Sequence[str]) -> ColumnElement[bool]:
    """Whether a name has all of these words as they are."""
    if len(words) == 1:
        return _like_any(["{}", "{} %", "% {} %", "% {}"], words[0])
    # Of several words with several patterns each, the index would be asked for all that they make together.
    return and_(*(_named(word) for word in words), *(_spaced(_NAME).like(f"% {word} %") for word in words))


def _spaced(name: ColumnElement[str]) -> ColumnElement[str]:
    return literal(" ").concat(name).concat(" ")


def _like_any(patterns: Sequence[str], word: str) -> ColumnElement[bool]:
    return _NAME.like(any_(literal([pattern.format(word) for pattern in patterns], ARRAY(Text))))


def _root(word: str) -> str:
    """What of a word its inflections have in common, unless so little is left that it begins many others."""
    root = stem(word)
    return root if len(root) >= ROOT_LEAST else word


def _best(likely: Subquery) -> tuple[ColumnElement[Any], ...]:
    return likely.c.alike.desc(), likely.c.id.desc()


def _found(asked: Asked, row: Any) -> FoundParty:
    numbers = sorted(row.numbers or (), key=lambda one: (-number_score(asked.pieces, one), one))
    scores = [name_score(asked.words, row.name or "")] if asked.words else []
    scores += [number_score(asked.pieces, numbers[0]) if numbers else 0.0] if asked.pieces else []
    return FoundParty(row.id, row.name, tuple(numbers), row.do_not_call_at is not None, min(scores))

"""One compared with the others: shares of people and lines, each held against what others have of the same (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from reports.chances import Share
from reports.facts import Fact
from reports.norms import Seen, share_expected

PEERS_LEAST: Final = 2
"""So many others there must be to compare with."""

LEAST: Final = 10
"""Of fewer things than this nobody is judged."""


@dataclass(frozen=True, slots=True)
class Compared:
    """The share of one, `part` of `whole`, and what may be expected of it by those of the others."""

    key: str
    part: float
    whole: float
    expected: Share

    @property
    def share(self) -> float:
        """Its own."""
        return self.part / self.whole

    @property
    def usual(self) -> float:
        """That of the others, with the same lines."""
        return self.expected.usual

    @property
    def excess(self) -> float:
        """By how many it has more than the others would have."""
        return self.part - self.usual * self.whole


def compared(
    part: Iterable[Fact],
    whole: Iterable[Fact],
    key: Callable[[Fact], str],
    alike: Callable[[Fact], str] = lambda _: "",
) -> Iterator[Compared]:
    """Each key that has enough, held against the others as they did with what is `alike`: the same lines.

    Others that had more, or less, of a line than it are taken as they would be with its mix of lines (indirect
    standardisation, as for mortality of hospitals).
    """
    parts, wholes = _told_apart(part, key, alike), _told_apart(whole, key, alike)
    for one, own in wholes.items():
        every = sum(own.values())
        others = [other for other in wholes if other != one]
        rates = {group: _rate(parts, wholes, others, group) for group in own}
        known = {group: rate for group, rate in rates.items() if rate is not None}
        shared = sum(own[group] for group in known)
        if every < LEAST or shared < every / 2:
            continue
        usual = sum(own[group] * rate for group, rate in known.items()) / shared
        peers = [_as_with(parts.get(other, {}), wholes[other], known, usual) for other in others]
        peers = [peer for peer in peers if peer.whole > 0]
        if len(peers) >= PEERS_LEAST:
            yield Compared(one, sum(parts.get(one, {}).values()), every, share_expected(every, peers))


def _told_apart(
    facts: Iterable[Fact], key: Callable[[Fact], str], alike: Callable[[Fact], str]
) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for fact in facts:
        if name := key(fact):
            groups = found.setdefault(name, {})
            groups[alike(fact)] = groups.get(alike(fact), 0.0) + fact.value
    return found


def _rate(
    parts: Mapping[str, Mapping[str, float]],
    wholes: Mapping[str, Mapping[str, float]],
    others: Iterable[str],
    group: str,
) -> float | None:
    """The share that the others have of what is alike; None: they have nothing of it."""
    whole = part = 0.0
    for other in others:
        whole += wholes[other].get(group, 0.0)
        part += parts.get(other, {}).get(group, 0.0)
    return part / whole if whole > 0 else None


def _as_with(part: Mapping[str, float], whole: Mapping[str, float], rates: Mapping[str, float], usual: float) -> Seen:
    """Another's part and whole of what is alike, as it would be at the mix for which `usual` is expected."""
    every = sum(whole.get(group, 0.0) for group in rates)
    expected = sum(whole.get(group, 0.0) * rate for group, rate in rates.items())
    got = sum(part.get(group, 0.0) for group in rates)
    return Seen(min(got / expected * usual, 1.0) * every if expected else 0.0, every)

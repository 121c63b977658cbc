"""A scenario: what the PBX is told to do, what people do, and what the record must then say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.lab.scenarios.record import Record
from tests.lab.scenarios.stage import Stage

Play = Callable[[Stage], Awaitable[None]]

RECORD = "MixMonitor(${RECORDINGS}/${UNIQUEID}.wav)"
RING = f"[from-trunk]\nexten => 500,1,{RECORD}\n same => n,Dial(PJSIP/m1,20,tTkK)\n"
"""Line 500 records and rings m1, and both sides may transfer and park."""

SCENARIOS: dict[str, Scenario] = {}


@dataclass(frozen=True)
class Scenario:
    """One scenario. `records` are its calls in the order of their beginning; `unknown`: what a witness cannot know."""

    play: Play
    records: tuple[Record, ...]
    dialplan: str = RING
    queues: str = ""
    unknown: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unknown_live: Sequence[str] = ()
    taped: bool = True
    record_phones: bool = False

    @property
    def name(self) -> str:
        """Its name, and its tape's."""
        return self.play.__name__

    def unknown_to(self, witness: str, record: Record) -> frozenset[str]:
        """The facts of `record` that this witness (ami, cel, both) cannot know."""
        # CEL tells parking, and no hold.
        hold = {"hold"} if witness == "cel" and not record.parks else set()
        return frozenset(self.unknown.get(witness, ())) | hold

    @property
    def unknown_to_any(self) -> frozenset[str]:
        """The facts that one of the witnesses cannot know."""
        return frozenset(fact for facts in self.unknown.values() for fact in facts)

    @property
    def story(self) -> str:
        """What happens, in one line."""
        return (self.play.__doc__ or "").splitlines()[0].rstrip(".")


def scenario(
    *records: Record,
    dialplan: str = RING,
    queues: str = "",
    cel: Sequence[str] = (),
    ami: Sequence[str] = (),
    live: Sequence[str] = (),
    chance: Sequence[str] = (),
    taped: bool = True,
    record_phones: bool = False,
) -> Callable[[Play], Play]:
    """Make a scenario of a function; `cel` and `ami` name the facts that this witness alone cannot know,
    `live` those that an AMI user with the shipped rights cannot, who is told nothing of the dialplan.

    `chance`: the facts that the PBX itself leaves to chance.
    `taped`: kept as a tape too; not where another tape tells the same in other words. `record_phones`: what telephones
    of staff dial is recorded.
    """

    def keep(play: Play) -> Play:
        made = Scenario(
            play,
            records,
            dialplan,
            queues,
            {"cel": (*cel, *chance), "ami": (*ami, *chance), "both": chance},
            live,
            taped,
            record_phones,
        )
        assert made.name not in SCENARIOS
        SCENARIOS[made.name] = made
        return play

    return keep

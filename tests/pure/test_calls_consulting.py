"""Who asks whom before they hand somebody over is read from any tape, at any moment of it."""

from pathlib import Path

import pytest

from calls.call import Call, apply
from calls.consulting import Consultation, consultations
from calls.events import ChannelCreated
from telephony import tape

TAPES = Path(__file__).parents[1] / "tapes"


def seen_in(name: str) -> list[tuple[Consultation, ...]]:
    """What was told of a tape after each event, without repetitions; channels by the order in which they began."""
    call = Call()
    found: list[tuple[Consultation, ...]] = [()]
    uids: list[str] = []
    for event in tape.read(TAPES / name).events:
        call = apply(call, event)
        if isinstance(event, ChannelCreated):
            uids.append(event.channel)
        now = consultations(call)
        if now != found[-1]:
            found.append(now)
    return [tuple(_plain(uids, one) for one in now) for now in found]


def _plain(uids: list[str], told: Consultation) -> Consultation:
    named = (f"channel {uids.index(uid)}" if uid else "" for uid in (told.by, told.client, told.other))
    return Consultation(*named)


RINGS, TALKS = Consultation("channel 1", "channel 0", ""), Consultation("channel 1", "channel 0", "channel 4")


@pytest.mark.parametrize(
    "name, told",
    [
        ("consulted_ami_unanswered.ami", [RINGS]),
        ("consulted_code_answered.ami", [RINGS, TALKS]),
        ("atxfer_feature.ami", [RINGS, TALKS, RINGS]),
        ("answered.ami", []),
        ("hold.ami", []),
        ("blind_ami_answered.ami", []),
        ("park_taken.ami", []),
    ],
)
def test_a_consultation_is_known_while_it_rings_and_while_they_talk(name: str, told: list[Consultation]) -> None:
    """The caller waits, the first who answered consults; what is no consultation never looks like one."""
    assert seen_in(name) == [(), *((one,) for one in told), *([()] if told else [])]

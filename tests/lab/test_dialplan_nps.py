"""What a client hears and presses who is asked how willing they are to recommend us, on a real PBX."""

from __future__ import annotations

from uuid import uuid4

import pytest

from service.demo_world import OutsideWorld, answer, ring_out
from service.demo_world.behaviour import Behaviour
from service.demo_world.speech import Speech
from service.pbx import Pbx
from telephony.nps import Question, channel_of, originate
from tests.lab.stand_in import StandIn
from tests.lab.test_dialplan_ends import left
from tests.lab.test_dialplan_talks import length

CLIENT, LINE = "79161230078", "74950000778"
WORDS = ("ru/queue-youarenext",) * 4


def pressing(digit: str, *, speak: Speech = (), hangup_after: float | None = None) -> Behaviour:
    return Behaviour("answer", 0.1, speak, hangup_after, digit=digit)


async def ask(
    outside: OutsideWorld, service: StandIn, client: Behaviour, comment: str = "", own: str | None = None
) -> str:
    """Have the client called and asked as the service does; the uniqueid of their channel."""
    await outside.mobile(CLIENT).behave(client)
    question = Question(
        id=uuid4(),
        number=CLIENT,
        trunk="PJSIP/trunk",
        line=LINE,
        shown=LINE,
        language="ru",
        prompt="beep",
        comment_prompt=comment,
        comment_seconds=20,
    )
    told = {name: one if isinstance(one, str) else ",".join(one) for name, one in originate(question).items()}
    told |= {"ChannelId": own} if own else {}
    del told["ActionID"]  # the stand-in counts its own
    took = await service.action(**told)
    assert took["Response"] == "Success", took
    return own or channel_of(question.id)


@pytest.mark.parametrize("keys", ["9", "0", "1", "10"])
async def test_a_key_is_a_score_and_ten_is_one_and_zero(outside: OutsideWorld, service: StandIn, keys: str) -> None:
    channel = await ask(outside, service, pressing(keys))
    await service.seen(Event="Hangup", Uniqueid=channel)
    assert service.told("Line", "Number", "Score") == [("NpsAsked", LINE, CLIENT), ("NpsAnswered", keys)]
    assert await outside.mobile(CLIENT).rings() == LINE


async def test_who_presses_nothing_is_asked_twice_and_let_go(outside: OutsideWorld, service: StandIn) -> None:
    """Nor is a star a score."""
    channel = await ask(outside, service, pressing("*"))
    ended = await service.seen(Event="Hangup", Uniqueid=channel)
    assert service.told("Score") == [("NpsAsked",)]
    assert ended["Cause"] == "16"


async def test_who_hangs_up_has_answered_nothing(outside: OutsideWorld, service: StandIn) -> None:
    channel = await ask(outside, service, answer(0.1, speak=(), hangup_after=1.0))
    await service.seen(Event="Hangup", Uniqueid=channel)
    assert service.told("Score") == [("NpsAsked",)]


async def test_who_does_not_answer_is_not_asked(outside: OutsideWorld, service: StandIn) -> None:
    channel = await ask(outside, service, ring_out())
    await outside.mobile(CLIENT).rings()
    await service.action(Action="Hangup", Channel="/^PJSIP/trunk-.*$/", Cause="16")
    await service.seen(Event="Hangup", Uniqueid=channel)
    assert service.told("Score") == []


async def test_words_are_kept_as_a_message_until_the_client_hangs_up(
    pbx: Pbx, outside: OutsideWorld, service: StandIn
) -> None:
    client = pressing("7", speak=(1.5, *WORDS), hangup_after=9.0)
    channel = await ask(outside, service, client, comment="beep")
    told = await service.seen(UserEvent="SwitchhookVoicemail", Uniqueid=channel)
    assert told["Box"] == "nps"
    assert [one[0] for one in service.told()] == ["NpsAsked", "NpsAnswered", "Voicemail"]
    assert length(await left(pbx, channel)) > 2


async def test_whoever_else_comes_there_is_turned_away(outside: OutsideWorld, service: StandIn) -> None:
    channel = await ask(outside, service, pressing("9"), own=f"somebody-{uuid4().hex}")
    await service.seen(Event="Hangup", Uniqueid=channel)
    assert service.told() == []

"""Why a telephone was not answered, whichever the PBX tells first: that it was not, or its hang-up."""

from __future__ import annotations

import asyncio

import pytest

from service import unanswered
from service.unanswered import hung_up, why_unanswered
from telephony.pbx import Message


@pytest.mark.parametrize("cause, why", [("17", "busy"), ("19", "no_answer"), ("21", "rejected"), ("38", "unreachable")])
@pytest.mark.parametrize("before", [True, False])
async def test_the_hang_up_tells_before_the_response_or_after_it(cause: str, why: str, before: bool) -> None:
    """Asterisk sends them within a millisecond of each other, in either order."""
    awaited: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    told: Message = {"Event": "Hangup", "Cause": cause}
    if before:
        hung_up(told, awaited)
    else:
        asyncio.get_running_loop().call_later(0.02, hung_up, told, awaited)
    assert await why_unanswered({"Response": "Failure", "Reason": "0"}, awaited) == why
    hung_up({"Event": "Hangup", "Cause": "16"}, awaited)  # told once more, it changes nothing


async def test_a_telephone_that_was_never_called_has_no_hang_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for for ever."""
    monkeypatch.setattr(unanswered, "WAIT_SECONDS", 0.01)
    awaited: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    assert await why_unanswered({"Response": "Failure", "Reason": "0"}, awaited) == "unreachable"


async def test_what_the_response_tells_is_not_waited_for() -> None:
    """Nobody answered until the time was over."""
    awaited: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with asyncio.timeout(unanswered.WAIT_SECONDS / 2):
        assert await why_unanswered({"Response": "Failure", "Reason": "3"}, awaited) == "no_answer"

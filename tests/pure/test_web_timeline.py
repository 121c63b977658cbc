"""What came of waiting, in words."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from calls import events as e
from calls.call import Call, apply
from calls.view import view
from directory.model import Person
from routing.waiting import Holder, came_free
from tests.fakes.recorded import T0, settled_call
from tests.fakes.story import HOUSE
from web.timeline import timeline

UID = "1795427050.1"
WHERE: dict[str, Any] = {"pbx": "pbx", "channel": UID, "linkedid": UID}
HELD = e.QueueJoined(**WHERE, at=T0 + timedelta(seconds=1), queue="sales")
OWNER = came_free(
    Holder(channel=UID, name="x", team="sales", since=T0, owner="anna"), Person(key="anna", name="Анна", role="manager")
)


@pytest.mark.parametrize(
    "event, russian, english",
    [
        (
            e.TakenOver(**WHERE, person="anna", team="sales", place=2, reason=json.dumps(OWNER.to_json())),
            "Освободился ответственный: Анна (в очереди на месте 2)",
            "Анна, the owner of this caller's lead, is free now (waited at place 2)",
        ),
        (
            e.CallbackRequested(**WHERE, team="sales", place=2),
            "Звонящий просит перезвонить",
            "The caller asks to be called back",
        ),
        (
            e.QueueLeft(**WHERE, queue="sales", outcome="callback"),
            "Звонящий уходит из очереди «sales», ему перезвонят",
            "The caller leaves the queue sales to be called back",
        ),
        (
            e.VoicemailLeft(**WHERE, box="sales", seconds=65.0),
            "Оставлено голосовое сообщение, 1:05",
            "A message of 1:05 is left",
        ),
    ],
)
def test_what_came_of_waiting_is_told(event: e.Event, russian: str, english: str) -> None:
    call = Call()
    for one in [*settled_call(UID, answered=False), HELD, replace(event, at=T0 + timedelta(seconds=5))]:
        call = apply(call, one)
    for language, wanted in (("ru", russian), ("en", english)):
        assert wanted in [moment.text for moment in timeline(call, view(call), HOUSE, language)]


@pytest.mark.parametrize("dialled", ["0079165550177", "+79165550177", "89165550177"])
def test_where_a_client_was_sent_is_told_as_people_write_it(dialled: str) -> None:
    """Whatever keys the page or the phone dialled."""
    sent = e.Transferred(**WHERE, at=T0 + timedelta(seconds=5), way="blind", transferee=UID, to=dialled)
    call = Call()
    for one in [*settled_call(UID, answered=True), sent]:
        call = apply(call, one)
    assert [one.text for one in timeline(call, view(call), HOUSE, "en") if "+7 916 555-01-77" in one.text]

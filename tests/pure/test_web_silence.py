"""Where a recording is silent is told on its page, with the reason."""

from __future__ import annotations

from datetime import timedelta

from calls import events as e
from calls.call import Call, apply
from calls.view import view
from recordings.parts import Placed
from tests.fakes.recorded import T0, settled_call
from web.silence import silences

UID = "1795427050.1"


def test_pauses_and_muted_numbers_are_told_where_they_lie_on_the_line() -> None:
    """In seconds of the recording, which began with the talk; a pause that nobody ended lasts as long as the call."""
    call = Call()
    turned = [(4.0, True), (5.5, False), (8.0, True)]
    for one in [
        *settled_call(UID),
        e.RecordingStarted(pbx="pbx", channel=UID, linkedid=UID, at=T0 + timedelta(seconds=1), path="a"),
        *(
            e.RecordingMuted(pbx="pbx", channel=UID, linkedid=UID, at=T0 + timedelta(seconds=at), muted=muted)
            for at, muted in turned
        ),
    ]:
        call = apply(call, one)
    placed = [Placed(UID, 10.0, 6.0), Placed("1795427050.9", 0.0, 10.0)]
    masked = [{"side": "caller", "from": 13.0, "to": 14.0, "kind": "card"}]
    told = silences(call, view(call), placed, [(12.9, 14.2), (2.0, 3.0)], masked, "en")
    assert [(one.start, one.end, one.why) for one in told] == [
        (2.0, 3.0, "Muted, 0:02–0:03"),
        (11.0, 12.5, "The recording was paused, 0:11–0:12"),
        (12.9, 14.2, "Muted: card, 0:12–0:14"),
        (15.0, 16.0, "The recording was paused, 0:15–0:16"),
    ]

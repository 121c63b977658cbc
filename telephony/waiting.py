"""What our dialplan tells of who holds, leaves a message, refuses or answers, the same by both witnesses (pure).

The dialplan says it twice: as a UserEvent, and into CEL (CELGenUserEvent, `name` and `values` joined by bars), so that
a promise to call back, a message, a refusal and an answer are known also when the service was away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from calls import events as e
from calls.events import Event
from telephony.told import Where, moment, whole

_OUTCOMES = {"ANSWER": "answered"}


def held(where: Where, team: str, since: str) -> list[Event]:
    """The caller began to hold for a team, `since` the PBX's epoch seconds: a wait in a queue of that name."""
    began: Where = {**where, "at": moment(since) or where["at"]}
    return [e.QueueJoined(**began, queue=team)] if team else []


def hold_ended(where: Where, team: str, outcome: str) -> list[Event]:
    """The wait ended: answered, timeout, callback, abandoned, or down (there was no service to wait for)."""
    return [e.QueueLeft(**where, queue=team, outcome=_OUTCOMES.get(outcome, outcome.lower()))] if team else []


def callback_requested(where: Where, team: str, place: str) -> list[Event]:
    """The caller wants to be called back."""
    return [e.CallbackRequested(**where, team=team, place=whole(place) or 0)]


def voicemail_left(where: Where, box: str, seconds: str) -> list[Event]:
    """The caller left a message."""
    return [e.VoicemailLeft(**where, box=box, seconds=float(whole(seconds) or 0))] if box else []


def recording_refused(where: Where, reason: str, _: str = "") -> list[Event]:
    """The call may not be recorded: the caller pressed the key, or the announcement could not be said."""
    return [e.RecordingRefused(**where, reason=reason)] if reason in {"caller", "unannounced"} else []


def nps_asked(where: Where, line: str, number: str) -> list[Event]:
    """The client hears the question of NPS."""
    return [e.NpsAsked(**where, line=line, number=number)]


def nps_answered(where: Where, score: str, _: str = "") -> list[Event]:
    """The client pressed a score."""
    told = whole(score)
    return [e.NpsAnswered(**where, score=told)] if told is not None and told <= 10 else []


_TOLD: Mapping[str, Callable[[Where, str, str], list[Event]]] = {
    "switchhookhold": held,
    "switchhookholdend": hold_ended,
    "switchhookcallback": callback_requested,
    "switchhookvoicemail": voicemail_left,
    "switchhookrecordingrefused": recording_refused,
    "switchhooknpsasked": nps_asked,
    "switchhooknpsanswered": nps_answered,
}

NAMES: Sequence[str] = tuple(_TOLD)
"""The names, in small letters, of what the dialplan writes into CEL."""


def user_defined(where: Where, name: str, values: str) -> list[Event]:
    """The events of a row that a dialplan wrote into CEL; none for one that is not ours."""
    meaning = _TOLD.get(name.lower())
    first, _, second = values.partition("|")
    return meaning(where, first, second) if meaning else []

"""What AMI and CEL told, read as the service reads it, and what of a call both of them can know."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from calls.events import Event
from calls.legs import Leg
from calls.view import CallView, view
from service.commands.replay import fold
from telephony import ami, cel
from telephony.tape import messages

NEAR = timedelta(milliseconds=10)
"""Asterisk stamps one moment once for each witness, up to 0.8 ms apart (tape queue_ringall), in parking up to 5.4 ms
(tape park_abandoned)."""


def of_ami(text: str, classes: Iterable[str] | None = None) -> list[Event]:
    """The events of an AMI stream, without any rows of CEL in it; only of these classes, if told."""
    spoken = [one for one in messages(text.split("\n")) if one.get("Event") != "CEL"]
    heard = [one for one in spoken if not classes or str(one.get("Privilege")) in classes]
    return [event for one in heard for event in ami.translate("pbx", one)]


def of_cel(text: str) -> list[Event]:
    """The events of the PBX's CEL file, which has no header."""
    rows = (dict(zip(cel.COLUMNS, cells, strict=False)) for cells in csv.reader(text.splitlines()))
    return [event for row in rows for event in cel.translate("pbx", row)]


def calls(events: Iterable[Event]) -> list[CallView]:
    """The calls, by their beginning; a telephone that registers is none."""
    return [seen for call in fold(events) if (seen := view(call)).caller_channel]


def common(seen: CallView) -> dict[str, Any]:
    """What both witnesses can know. Only AMI tells ringing, and only CEL and the dialplan's class tell applications."""
    return {
        "linkedids": set(seen.linkedids),
        "direction": seen.direction,
        "caller": (seen.caller_number, seen.caller_name, seen.caller_device, seen.caller_channel),
        "dialed": seen.dialed,
        "status": seen.status,
        "missed_cause": seen.missed_cause,
        "ended_by": seen.ended_by,
        "answered_by": seen.answered_by,
        "legs": [(leg.channel, leg.device, leg.number, leg.outcome, _cause(seen, leg)) for leg in seen.legs],
        "talks": [talk.between for talk in seen.talks],
        "transfers": [(one.kind, one.by, one.to, one.reached, one.completed) for one in seen.transfers],
        "pickups": [(one.by, one.of) for one in seen.pickups],
        "queues": [(one.name, one.outcome) for one in seen.queues],
        "parks": [(one.by, one.outcome, one.taken_by) for one in seen.parks],
        "conference": seen.conference,
        "recordings": seen.recordings,
    }


def _cause(seen: CallView, leg: Leg) -> int | None:
    """The hang-up cause. A phone that forwards is hung up before its cause is set, or after: AMI told 0 and CEL 23 of
    one (seen on Asterisk 22.10, under load; chan_pjsip sets the forward first).
    """
    forwards = leg.outcome == "failed" and any(one.by == leg.device for one in seen.forwards)
    return None if forwards else leg.hangup_cause


def times(seen: CallView) -> list[datetime | None]:
    """Every time of the record that both witnesses tell."""
    told = [seen.started_at, seen.answered_at, seen.ended_at]
    for leg in seen.legs:
        told += [leg.started_at, leg.answered_at, leg.ended_at]
    for talk in seen.talks:
        told += [talk.since, talk.until]
    for park in seen.parks:
        told += [park.since, park.until]
    told += [one.at for one in seen.transfers] + [one.at for one in seen.pickups]
    for queue in seen.queues:
        told += [queue.entered_at, queue.left_at]
    return told


def near(one: CallView, other: CallView) -> bool:
    """Whether two records tell the same times, within what the witnesses differ by."""
    pairs = list(zip(times(one), times(other), strict=True))
    spans = [(one.talk_seconds, other.talk_seconds), (one.wait_seconds, other.wait_seconds)]
    return all(a == b or (a and b and abs(a - b) < NEAR) for a, b in pairs) and all(
        abs(a - b) < NEAR.total_seconds() for a, b in spans
    )

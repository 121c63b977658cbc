"""Whether a client may be asked how willing they are to recommend the house, and when (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from directory.hours import next_open, read_week
from directory.model import Directory, Hours, Line
from directory.numbers import e164
from routing.outgoing import Refused, may_call

REASONS: Final = (
    *("no_number", "ours", "do_not_call", "no_line", "no_lead", "asked_lately", "not_allowed", "never_open"),
    *("policy", "no_channel", "no_address"),
)
"""Why a client is not asked: no number can be told; it is a colleague's; they want no calls; there is no line to ask
from; a link goes to clients with a lead alone; they were asked, or will be; calls there are not allowed; its hours
never open. And when they were to be: the policy is another by now, nobody takes messages, our own address is unknown.
"""

DAYTIME: Final = Hours("daytime", read_week({"mon-sun": "09:00-20:00"}))
"""When clients are asked where neither the policy nor the line has hours: nobody is called at night."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Something after which clients are asked: a talk that ended, or a lead that came to a stage, `at` that moment.

    `number` is as it is stored, `line` the talk's, or that which the lead came by; each may be empty.
    """

    at: datetime
    number: str
    line: str = ""
    has_lead: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """What is known of whom it is about: `unwanted`, they want no calls; when they were asked last, or will be."""

    unwanted: bool = False
    asked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """When the client is asked; None: not at all, and `why` is one of REASONS."""

    due_at: datetime | None
    why: str = ""


def may_ask(occasion: Occasion, client: Client, directory: Directory) -> Verdict:
    """Judge one occasion by the policy that the directory holds."""
    policy, number = directory.nps, occasion.number
    line = line_of(directory, occasion.line)
    if e164(number, directory.company.region) is None:
        return Verdict(None, "no_number")
    if directory.is_staff(number):
        return Verdict(None, "ours")
    if client.unwanted or directory.must_not_be_called(number) or directory.is_blocked(number):
        return Verdict(None, "do_not_call")
    if line is None or (policy.way == "call" and line.trunk is None):
        return Verdict(None, "no_line")
    if policy.way == "link" and not occasion.has_lead:
        return Verdict(None, "no_lead")
    if client.asked_at is not None and occasion.at - client.asked_at < timedelta(days=policy.days_between):
        return Verdict(None, "asked_lately")
    if policy.way == "call" and isinstance(may_call(f"+{number}", None, directory), Refused):
        return Verdict(None, "not_allowed")
    due_at = open_from(directory, line, occasion.at + timedelta(minutes=policy.delay_minutes))
    return Verdict(due_at, "" if due_at else "never_open")


def line_of(directory: Directory, number: str) -> Line | None:
    """The line as which a client is asked: that of the occasion, else the one that the company calls out as."""
    return directory.line(number) or directory.outgoing_line(None)


def open_from(directory: Directory, line: Line, at: datetime) -> datetime | None:
    """The first moment from `at` on at which clients may be asked; None: there is none within a year."""
    hours = directory.hours_of(directory.nps.hours or line.hours) or DAYTIME
    return next_open(hours, directory.zone_of(line), at)

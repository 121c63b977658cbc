"""The course of a lead after the first talk: judged, led through the funnel, won or lost, now and then brought back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import chain, repeat
from typing import Final

from service.demo_history import shapes
from service.demo_history.dice import Dice
from service.demo_history.told import Change, ToldCall, ToldLead
from service.demo_history.truths import Truth, Truths

SERVICE: Final = "switchhook"
_NEVER_JUDGED: Final = 0.06
_QUALIFIES: Final = 0.5
_OF_GOOD_SOURCE: Final = 0.88
_OF_BAD_MANAGER: Final = 0.15
_AT_ONCE: Final = 0.65
"""Of leads, those judged right after the talk, on its card."""
_REASONS: Final = {"existing_client": 45, "spam": 30, "duplicate": 18, "shareholder": 7}
_GETS_ON: Final = (0.7, 0.6, 0.7)
"""From step to step of the funnel, the chance of each; of further ones that of the last."""
_FALLEN: Final = 0.25
"""Of those who got on to a step, as many as do so where it falls."""
_WON: Final = 0.9
_REVIVED: Final = 0.08
_LOSES: Final = ("no_contact", "too_expensive", "chose_another", "not_needed")


def opened(lead: ToldLead, call: ToldCall, *, talked: bool) -> None:
    """A call opens a lead; of whoever talked."""
    stage = "qualifying" if talked else "new"
    lead.call = call.id
    lead.changes.append(Change(at=call.ends, kind="opened", by=SERVICE, after=stage, reason="answered", call=call.id))
    if talked:
        _given(lead, call)


def given_up(dice: Dice, lead: ToldLead, call: ToldCall) -> None:
    """Nobody ever called them back."""
    _moves(lead, "new", "lost", dice.working_day(call.at.date(), 3, 5), "no_contact")


def begun(dice: Dice, truths: Truths, steps: Sequence[str], call: ToldCall, *, called_in: bool) -> list[ToldCall]:
    """The first talk with a client, who `called_in` or was called back, and all that follows; gives the later calls.

    `steps` are the keys of the funnel's.
    """
    lead, day = call.lead, call.at.date()
    verdict = _verdict(dice, truths, lead, day)
    call.talk = _talk_seconds(dice, verdict, bad=truths.key(Truth.BAD_MANAGER, day) == lead.person)
    if called_in:
        opened(lead, call, talked=True)
    else:
        _moves(lead, "new", "qualifying", call.ends, by=SERVICE)
        _given(lead, call)
    if not verdict:
        _moves(lead, "qualifying", "lost", dice.working_day(day, 8, 12), "no_contact")
        return []
    at = call.ends + timedelta(minutes=dice.about(5, 0.8))
    if dice.yes(_AT_ONCE):
        call.card = verdict, at
    else:
        at = dice.working_day(day, 1, 3)
    if verdict != "qualified":
        _moves(lead, "qualifying", "disqualified", at, verdict)
        return []
    _moves(lead, "qualifying", "qualified", at)
    return list(_funnel(dice, truths, steps, lead, at))


def called(dice: Dice, lead: ToldLead, at: datetime, person: str) -> ToldCall:
    """Somebody of ours calls a client, who answers."""
    lead.talks.append(at)
    talk = round(dice.about(90, 0.6)) + 6
    return ToldCall(
        id=dice.uuid(),
        at=at,
        shape=shapes.CALLED_OUT,
        person=person,
        lead=lead,
        wait=dice.randint(5, 20),
        talk=talk,
    )


def _verdict(dice: Dice, truths: Truths, lead: ToldLead, day: date) -> str:
    """What comes of the lead: qualified, a reason why not, or "": nobody ever says."""
    bad = truths.key(Truth.BAD_MANAGER, day) == lead.person
    chance = _OF_GOOD_SOURCE if truths.key(Truth.GOOD_SOURCE, day) == lead.line else _QUALIFIES
    if dice.yes(_NEVER_JUDGED):
        return ""
    if dice.yes(_OF_BAD_MANAGER if bad else chance):
        return "qualified"
    return "spam" if bad and dice.yes(0.8) else dice.choices(list(_REASONS), list(_REASONS.values()))[0]


def _talk_seconds(dice: Dice, verdict: str, *, bad: bool) -> int:
    if verdict == "spam" and not bad:
        return dice.randint(8, 45)
    if verdict in _REASONS and verdict != "spam":
        return dice.randint(25, 110)
    return 60 + round(dice.about(150, 0.5))


def _funnel(dice: Dice, truths: Truths, steps: Sequence[str], lead: ToldLead, since: datetime) -> Iterator[ToldCall]:
    """Step by step, each after a talk of ours; gives the calls."""
    place, at = "in_work", dice.working_day(since.date(), 1, 2)
    _moves(lead, "qualified", place, at)
    for step, chance in zip(steps, chain(_GETS_ON, repeat(_GETS_ON[-1])), strict=False):
        at = dice.working_day(at.date(), 1, 5)
        yield from _talks(dice, truths, lead, at)
        fallen = _FALLEN if truths.key(Truth.FALLING_STEP, at.date()) == step else 1
        if not dice.yes(chance * fallen):
            yield from _lost(dice, truths, lead, place, at)
            return
        after = f"in_work/{step}"
        _moves(lead, place, after, at)
        place = after
    at = dice.working_day(at.date(), 1, 5)
    if dice.yes(_WON):
        _moves(lead, place, "won", at)
    else:
        yield from _lost(dice, truths, lead, place, at)


def _lost(dice: Dice, truths: Truths, lead: ToldLead, place: str, at: datetime) -> Iterator[ToldCall]:
    """The client is lost; a few are brought back by a call, and lost again."""
    _moves(lead, place, "lost", at, dice.choice(_LOSES))
    if dice.yes(_REVIVED):
        back = dice.working_day(at.date(), 7, 20)
        yield from _talks(dice, truths, lead, back)
        _moves(lead, "lost", "in_work", back)
        _moves(lead, "in_work", "lost", dice.working_day(back.date(), 2, 6), dice.choice(_LOSES))


def _talks(dice: Dice, truths: Truths, lead: ToldLead, before: datetime) -> Iterator[ToldCall]:
    """A talk some minutes before a lead goes on; now and then somebody called in vain before."""
    if truths.key(Truth.DEAD_PHONE, before.date()) == lead.person:
        return
    talk = called(dice, lead, before - timedelta(minutes=dice.randint(8, 20)), lead.person)
    if dice.yes(0.2):
        in_vain = called(dice, lead, talk.at - timedelta(minutes=dice.randint(10, 40)), lead.person)
        in_vain.shape, in_vain.talk, in_vain.wait = shapes.CALLED_IN_VAIN, 0, dice.randint(20, 40)
        lead.talks.remove(in_vain.at)
        yield in_vain
    yield talk


def _given(lead: ToldLead, call: ToldCall) -> None:
    told = Change(at=call.ends, kind="owner", by=SERVICE, after=lead.person, reason="answered/answered", call=call.id)
    lead.changes.append(told)


def _moves(
    lead: ToldLead, before: str, after: str, at: datetime, reason: str | None = None, by: str | None = None
) -> None:
    told = Change(at=at, kind="stage", by=by or lead.person, before=before, after=after, reason=reason)
    lead.changes.append(told)
    lead.closed_at = at if after in {"won", "lost", "disqualified"} else None

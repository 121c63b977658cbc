"""One call's page: who, when and why, the recording and its text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from aiohttp import web

from calls.call import facts
from calls.events import TranscriptionGivenUp
from calls.follow_up_list import promise_of
from calls.jobs import hurry
from crm_sync.book.outcomes import of_call
from recordings.fact_rows import talk_facts_of
from recordings.masking import kind_of
from recordings.pauses import is_paused
from recordings.rows import is_late_in_crm, recordings_of
from web import call_told, keeping, talk
from web.audio_gaps import gaps
from web.comments import comments_of
from web.decided import known, passed, rule, spent
from web.evidence import charged, evidence
from web.guard import VIEWER, nonce
from web.hearing import hearing_of
from web.house import HOUSE
from web.leads.of_call import lead_of_call
from web.leads.wording import words_of
from web.listening import Sound, note, transcript_of
from web.one_call import OneCall, read_call
from web.page import fragment, language_of, page, zone_of
from web.pausing import can_pause, may_pause
from web.services import SERVICES
from web.silence import Silence, silences
from web.timeline import timeline
from web.told import considered, device_kind, reasons
from web.wording import phone
from web.words import say

SOON: Final = timedelta(minutes=10)
"""A recording that has not come by then is not on its way."""


_MOVES: Final = frozenset({"transfer", "pickup", "forward"})
"""Moments of the timeline at which a call went from one to another."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word with its place in the recording, seconds; `start` is None when only its piece is known.

    `kind`: what was masked there, None for a word that was said.
    """

    text: str
    start: float | None
    end: float | None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """What one side said in one go."""

    side: str
    start: float
    end: float
    words: list[Word]


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why a comment was not written: the field at fault, the words beside it, and what was typed."""

    at: str
    words: str
    given: Mapping[str, str]


async def show(request: web.Request) -> web.Response:
    """GET /calls/{id}."""
    return await call_page(request)


async def call_page(request: web.Request, wrong: Wrong | None = None, status: int = 200) -> web.Response:
    """The page as the call stands now, with what went wrong beside its field."""
    directory = await request.app[HOUSE].read()
    async with request.app[SERVICES].engine.begin() as connection:
        one = await read_call(request, connection)
        sides = await recordings_of(connection, one.id)
        hearing = await hearing_of(connection, one, directory, request[VIEWER].role)
        transcript = await transcript_of(connection, one.id)
        measured = await talk_facts_of(connection, one.id)
        promise = (await connection.execute(promise_of(one.id))).first()
        comments = await comments_of(connection, one, hearing, request[VIEWER])
        kept = await keeping.shown(request, connection, one)
        late_in_crm = await is_late_in_crm(connection, one.id)
        cards = [card for card in await of_call(connection, one.id) if card.note or card.outcome or card.next_step]
        lead = await lead_of_call(connection, directory, request[VIEWER], one.row.lead_id)
        told = await call_told.shown(request, connection, one.id)
        if transcript is not None:
            await note(request, connection, one.id, "transcript")
        else:
            await hurry(connection, "transcription", one.id)
    language = language_of(request)
    moments = timeline(one.call, one.seen, directory, language, sides)
    response = await page(
        request,
        "call.html",
        one=one,
        call=one.row,
        seen=one.seen,
        may_pause=may_pause(request[VIEWER], one) and can_pause(one),
        paused=is_paused(one.seen),
        moments=moments,
        moves=[moment for moment in moments if moment.key in _MOVES],
        reasons=reasons(one.plan, language),
        rule=rule(one.plan, language),
        passed=passed(one.plan, language),
        known=known(one.plan, directory, ZoneInfo(zone_of(request, directory)), language),
        spent=spent(one.plan, language),
        considered=list(considered(one.plan, directory, language)),
        reached=[_reached(one, leg, device_kind(directory, leg.device, leg.number)) for leg in one.seen.legs],
        sound=hearing.audible,
        hearing=hearing,
        silences=_silences(one, hearing.audible, transcript, language),
        gaps=gaps(sides, language) + ([say(language, "gap.not_in_crm")] if late_in_crm else []),
        late=one.row.ended_at is not None and datetime.now(UTC) + one.row.ahead - one.row.ended_at > SOON,
        answerer=_answerer(one),
        many_talked=len({one.person_of(leg.channel) for leg in one.seen.legs if leg.outcome == "answered"}) > 1,
        evidence=evidence(one.seen, directory, ZoneInfo(zone_of(request, directory)), language),
        charged=charged(one.seen, directory, language),
        promise=promise,
        keeping=kept,
        pieces=pieces(transcript.segments, transcript.words) if transcript else [],
        transcript=transcript,
        unwritten=next((told.reason for told in facts(one.call, TranscriptionGivenUp)), ""),
        facts=measured,
        talk=talk,
        lead=lead,
        cards=cards,
        **told,
        **words_of(directory.leads, language, datetime.now(UTC)),
        comments=comments,
        wrong=wrong,
        nonce=nonce(request),
    )
    response.set_status(status)
    return response


async def show_text(request: web.Request) -> web.Response:
    """GET /calls/{id}/text: what was said, as the page of its lead shows it; a reading as any other."""
    async with request.app[SERVICES].engine.begin() as connection:
        one = await read_call(request, connection)
        transcript = await transcript_of(connection, one.id)
        if transcript is None:
            raise web.HTTPNotFound(text="There is no transcript of this call.")
        await note(request, connection, one.id, "transcript")
    told = pieces(transcript.segments, transcript.words)
    text = await fragment(request, "call_text.html", one=one, transcript=transcript, pieces=told)
    return web.Response(text=text, content_type="text/html")


def pieces(segments: Sequence[Mapping[str, Any]], words: Sequence[Mapping[str, Any]]) -> list[Piece]:
    """The transcript's segments, each with its own words; a segment without word times keeps its text whole."""
    told = []
    for part in segments:
        side, start, end = str(part["side"]), float(part["start"]), float(part["end"])
        mine = [
            Word(str(word["text"]).strip(), float(word["start"]), float(word["end"]), kind_of(str(word["text"])))
            for word in words
            if word["side"] == side and start - 0.01 <= (float(word["start"]) + float(word["end"])) / 2 <= end + 0.01
        ]
        told.append(Piece(side, start, end, mine or [Word(str(part["text"]).strip(), None, None)]))
    return told


def _silences(one: OneCall, sound: Sound | None, transcript: Any, language: str) -> list[Silence]:
    if sound is None:
        return []
    muted = sound.archive.masked if sound.archive else ()
    return silences(one.call, one.seen, sound.placed, muted, transcript.masked if transcript else (), language)


def _reached(one: OneCall, leg: Any, kind: str) -> dict[str, Any]:
    return {"leg": leg, "person": one.person_of(leg.channel), "kind": kind}


def _answerer(one: OneCall) -> str:
    """The number, or the device, that answered and belongs to nobody in the directory."""
    answered = next((leg for leg in one.seen.legs if leg.outcome == "answered"), None)
    return (phone(answered.number) or answered.device) if answered else ""

"""What a talk's words tell, and a call to take away, by the API."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from aiohttp import web
from pydantic import Field

from recordings.fact_rows import talk_facts_of
from recordings.subtitles import Cue, cues, to_srt, to_vtt
from web.api.operations import Answer, NoQuery
from web.exporting import file_name, send_export, side_names
from web.listening import note, transcript_of
from web.one_call import read_call
from web.page import language_of
from web.services import SERVICES
from web.talk import facts_json

SideName = Literal["caller", "staff"]


class SideTold(Answer):
    """One side of a talk; spans are seconds."""

    seconds: float = Field(description="Of speech.")
    share: float = Field(description="Of both sides' speech, 0 to 1.")
    monologue_seconds: float = Field(description="The longest without a turn of the other side.")
    words_per_minute: float | None = Field(description="Null where it spoke too little.")
    questions: int
    interruptions: int = Field(description="How often it broke in on the other side.")


class InterruptionTold(Answer):
    """Who broke in, at which second of the recording."""

    by: SideName
    at: float


class StepTold(Answer):
    """A step of the line's script, and when staff said it; `unsure` rests on words that were heard badly."""

    step: str
    said: bool
    at: float | None
    unsure: bool


class MentionTold(Answer):
    """A word of a topic."""

    side: SideName
    at: float
    unsure: bool


class TopicTold(Answer):
    """A topic that was talked about."""

    topic: str
    mentions: list[MentionTold]


class TalkFactsTold(Answer):
    """What the words of a talk tell; holds, pauses of the recording and masked seconds count for nobody."""

    seconds: float = Field(description="From the first word to the last.")
    caller: SideTold
    staff: SideTold
    silence_seconds: float
    silence_share: float
    longest_silence_seconds: float
    longest_silence_at: float | None
    response_seconds: float | None = Field(description="Median pause before staff answer the caller.")
    interruptions: list[InterruptionTold]
    steps: list[StepTold]
    topics: list[TopicTold]
    unsure_share: float = Field(description="Of words that were heard badly.")
    low_confidence: bool = Field(description="So many of them that all of this may be wrong.")


async def get_talk_facts(request: web.Request, _query: NoQuery) -> TalkFactsTold:
    """GET /calls/{id}/talk-facts."""
    async with request.app[SERVICES].engine.connect() as connection:
        one = await read_call(request, connection)
        facts = await talk_facts_of(connection, one.id)
    if facts is None:
        raise web.HTTPNotFound(text="There is no transcript of this call.")
    return TalkFactsTold.model_validate(facts_json(facts))


async def get_srt(request: web.Request, _query: NoQuery) -> web.StreamResponse:
    """GET /calls/{id}/transcript.srt."""
    return await _subtitles(request, to_srt, "srt", "application/x-subrip")


async def get_vtt(request: web.Request, _query: NoQuery) -> web.StreamResponse:
    """GET /calls/{id}/transcript.vtt."""
    return await _subtitles(request, to_vtt, "vtt", "text/vtt")


async def export_call(request: web.Request, _query: NoQuery) -> web.StreamResponse:
    """GET /calls/{id}/export: sound, text, subtitles and facts as one zip."""
    return await send_export(request)


async def _subtitles(
    request: web.Request, written: Callable[[Sequence[Cue], Mapping[str, str]], str], ending: str, media: str
) -> web.StreamResponse:
    async with request.app[SERVICES].engine.begin() as connection:
        one = await read_call(request, connection)
        row = await transcript_of(connection, one.id)
        if row is None:
            raise web.HTTPNotFound(text="There is no transcript of this call.")
        await note(request, connection, one.id, "transcript")
    response = web.Response(text=written(cues(row.words), side_names(language_of(request))), content_type=media)
    response.headers["Content-Disposition"] = (
        f'attachment; filename="{file_name(one.seen.started_at, one.id)}.{ending}"'
    )
    return response

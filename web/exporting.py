"""A call to take away, for whoever may listen to it; taking it is written down before the first byte."""

from datetime import UTC, datetime
from typing import Any

from aiohttp import hdrs, web

from calls.view import CallView, to_json
from recordings.export import Member, json_member, sound_member, text_members, zipped
from recordings.fact_rows import talk_facts_of
from recordings.store import StoreError
from recordings.talk_facts import TalkFacts
from recordings.wav import WavError
from web.guard import VIEWER
from web.hearing import hearing_of
from web.house import HOUSE
from web.listening import note, opened, stream, transcript_of
from web.one_call import read_call
from web.page import language_of
from web.services import SERVICES
from web.talk import facts_json
from web.words import say


def side_names(language: str) -> dict[str, str]:
    """What the sides are called."""
    return {side: say(language, f"side.{side}") for side in ("caller", "staff")}


def file_name(call: Any) -> str:
    """The name of a call's files, without an ending: when it began and its id; no number, and no person's name."""
    began = (call.started_at or datetime.fromtimestamp(0, UTC)).astimezone(UTC)
    return f"{began:%Y-%m-%d_%H%M%S}_{call.id}"


async def send_export(request: web.Request) -> web.StreamResponse:
    """The zip of the call of `{id}`. Raises 404 when there is neither sound nor text of it."""
    services = request.app[SERVICES]
    async with services.engine.begin() as connection:
        one = await read_call(request, connection)
        hearing = await hearing_of(connection, one, await request.app[HOUSE].read(), request[VIEWER].role)
        sound = hearing.audible
        transcript = await transcript_of(connection, one.id)
        facts = await talk_facts_of(connection, one.id)
        if sound is None and transcript is None:
            raise web.HTTPNotFound(text="There is neither a recording nor a transcript of this call.")
        await note(request, connection, one.id, "original" if sound and hearing.unmuted(original=False) else "export")
    try:
        members = [sound_member(sound.suffix, *await opened(services.recordings, sound))] if sound else []
    except (OSError, WavError, StoreError) as error:
        raise web.HTTPNotFound(text="The recording's file is gone or broken.") from error
    members += members_of(one.seen, transcript, facts, language_of(request))
    disposition = f'attachment; filename="{file_name(one.row)}.zip"'
    headers = {hdrs.CONTENT_TYPE: "application/zip", hdrs.CONTENT_DISPOSITION: disposition}
    return await stream(request, web.StreamResponse(headers=headers), zipped(members, one.row.started_at))


def members_of(seen: CallView, transcript: Any, facts: TalkFacts | None, language: str) -> list[Member]:
    """All that a call's zip holds beside its sound: the record, the text, the subtitles, what the words tell."""
    members = [json_member("call.json", to_json(seen))]
    members += text_members(transcript.segments, transcript.words, side_names(language)) if transcript else []
    return [*members, *([json_member("talk_facts.json", facts_json(facts))] if facts else [])]

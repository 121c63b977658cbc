"""A call to take away, for whoever may listen to it; taking it is written down before the first byte."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from aiohttp import hdrs, web
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.view import to_json
from recordings import comments
from recordings.export import Member, json_member, sound_member, text_members, zipped
from recordings.fact_rows import talk_facts_of
from recordings.store import Store, StoreError
from recordings.wav import WavError
from web.guard import VIEWER
from web.hearing import hearing_of, note_heard
from web.house import HOUSE
from web.listening import Sound, opened, stream, transcript_of
from web.one_call import OneCall, read_call
from web.page import language_of
from web.services import SERVICES
from web.talk import facts_json
from web.words import say

_LONG_AGO: Final = datetime(1980, 1, 1, tzinfo=UTC)


def side_names(language: str) -> dict[str, str]:
    """What the sides are called."""
    return {side: say(language, f"side.{side}") for side in ("caller", "staff")}


def file_name(began: datetime | None, call_id: UUID) -> str:
    """The name of a call's files, without an ending: when it began and its id; no number, and no person's name."""
    return f"{(began or _LONG_AGO).astimezone(UTC):%Y-%m-%d_%H%M%S}_{call_id}"


class NothingKeptError(Exception):
    """There is neither sound nor text of the call, or a file of its sound is gone; the text says which."""


async def send_export(request: web.Request) -> web.StreamResponse:
    """The zip of the call of `{id}`, with the sound that the viewer hears.

    Raises 404 when there is nothing of it to take away, 404 and 403 where its sound may not be heard (yet).
    """
    services = request.app[SERVICES]
    try:
        async with services.engine.begin() as connection:
            one = await read_call(request, connection)
            hearing = await hearing_of(connection, one, await request.app[HOUSE].read(), request[VIEWER].role)
            sound = hearing.chosen(original=False)
            members = await members_of(connection, services.recordings, one, sound, language_of(request))
            unmuted = sound is not None and hearing.unmuted(original=False)
            await note_heard(request, connection, one.id, "export", unmuted=unmuted)
    except NothingKeptError as error:
        raise web.HTTPNotFound(text=str(error)) from error
    disposition = f'attachment; filename="{file_name(one.seen.started_at, one.id)}.zip"'
    headers = {hdrs.CONTENT_TYPE: "application/zip", hdrs.CONTENT_DISPOSITION: disposition}
    return await stream(request, web.StreamResponse(headers=headers), zipped(members, one.seen.started_at))


async def members_of(
    connection: AsyncConnection, kept: Store, one: OneCall, sound: Sound | None, language: str
) -> list[Member]:
    """The files of a call: this sound, record, text, comments, what the words tell. Raises NothingKeptError."""
    transcript = await transcript_of(connection, one.id)
    facts = await talk_facts_of(connection, one.id)
    if sound is None and transcript is None:
        raise NothingKeptError("There is neither a recording nor a transcript of this call.")
    try:
        members = [sound_member(sound.suffix, *await opened(kept, sound))] if sound else []
    except (OSError, WavError, StoreError) as error:
        raise NothingKeptError("The recording's file is gone or broken.") from error
    members.append(json_member("call.json", to_json(one.seen)))
    members += text_members(transcript.segments, transcript.words, side_names(language)) if transcript else []
    written = [_comment_json(row) for row in await comments.of_call(connection, one.id)]
    members += [json_member("comments.json", written)] if written else []
    return [*members, *([json_member("talk_facts.json", facts_json(facts))] if facts else [])]


def _comment_json(row: Any) -> dict[str, Any]:
    return {"at": row.at, "by": row.by, "made_at": row.made_at.astimezone(UTC).isoformat(), "text": row.text}

"""Pausing and resuming a recording by the API."""

from aiohttp import web

from web import pausing
from web.api.models import RecordingPaused
from web.api.operations import NoBody, refusal
from web.audited import audited
from web.page import language_of
from web.words import say


@audited("recording_paused")
async def pause_recording(request: web.Request, _body: NoBody) -> RecordingPaused | web.Response:
    """POST /calls/{id}/recording/pause."""
    return await _turn(request, paused=True)


@audited("recording_resumed")
async def resume_recording(request: web.Request, _body: NoBody) -> RecordingPaused | web.Response:
    """POST /calls/{id}/recording/resume."""
    return await _turn(request, paused=False)


async def _turn(request: web.Request, *, paused: bool) -> RecordingPaused | web.Response:
    try:
        call_id = await pausing.ask(request, paused=paused)
    except pausing.NotPausedError as error:
        return refusal(422, error.reason, say(language_of(request), f"pause.{error.reason}"))
    return RecordingPaused(call_id=call_id, paused=paused)

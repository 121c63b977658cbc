"""Who may hear a call: everybody with a right to it once its numbers are muted, before that the policy's one role."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal
from uuid import UUID

from aiohttp import web
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.call import facts
from calls.events import TranscriptionGivenUp
from calls.record import state_call
from calls.tables import calls
from directory.masking import Masking
from directory.model import Directory
from recordings import audit
from recordings.archive_plan import Span
from recordings.archive_rows import Archive, archive_of
from recordings.masking import Muted, muted_from
from recordings.tables import recordings, transcripts, unmasked_transcripts
from web.guard import VIEWER, address_of
from web.listening import Sound, note, sound_of
from web.one_call import OneCall

State = Literal["ready", "preparing", "unmasked"]
"""`ready`: muted is what must be. `preparing`: it is not yet. `unmasked`: it never will be, for it has no text."""

REFUSED: Final[dict[State, str]] = {
    "preparing": "The recording is being prepared: what is said in it is not masked yet.",
    "unmasked": "The recording could not be masked, so it is only for the role that may hear the unmasked.",
}


@dataclass(frozen=True, slots=True)
class Hearing:
    """What there is to hear of a call, and for whom. `original`: without anything muted, None when it is not kept."""

    sound: Sound | None
    original: Sound | None
    state: State
    is_reader: bool

    @property
    def audible(self) -> Sound | None:
        """What this viewer hears."""
        return self.sound if self.state == "ready" or self.is_reader else None

    @property
    def is_masked(self) -> bool:
        """Whether an original is kept beside what everybody hears."""
        return self.original is not None and self.original is not self.sound

    def chosen(self, *, original: bool) -> Sound | None:
        """The sound that was asked for. Raises 403 for an original, and for what cannot be masked; 404 meanwhile."""
        if original and not self.is_reader:
            raise web.HTTPForbidden(text="The original is only for the role that may hear the unmasked.")
        if original:
            return self.original
        if self.sound is not None and self.audible is None:
            refusal = web.HTTPNotFound if self.state == "preparing" else web.HTTPForbidden
            raise refusal(text=REFUSED[self.state])
        return self.sound

    def unmuted(self, *, original: bool) -> bool:
        """Whether what was asked for is not muted as it must be: such listening is told apart in the audit."""
        return original or self.state != "ready"


async def hearing_of(connection: AsyncConnection, one: OneCall, directory: Directory, role: str | None) -> Hearing:
    """What someone of this role (None: of no role) may hear of the call; their right to the call is judged before."""
    policy = directory.masking_of(one.row.line)
    sound = await sound_of(connection, one.id, one.call)
    state = await _state(connection, one, policy, sound.archive if sound else None)
    return Hearing(sound, _original(sound), state, is_reader=role == policy.readers)


async def note_heard(
    request: web.Request, connection: AsyncConnection, call_id: UUID, what: str, *, unmuted: bool
) -> None:
    """Write down who hears or reads what; what is not masked as it must be, in the audit too."""
    await note(request, connection, call_id, "original" if unmuted else what)
    if unmuted:
        viewer, client = request[VIEWER], address_of(request)
        actor = audit.Actor(login=viewer.login, user=viewer.user, address=str(client) if client else None)
        await audit.note(connection, actor, "original_heard", f"call {call_id}", {"what": what})


async def original_words(connection: AsyncConnection, one: OneCall) -> Sequence[Any] | None:
    """The words before anything was masked; None when they are not kept."""
    asked = select(unmasked_transcripts.c.words).where(unmasked_transcripts.c.call_id == one.id)
    told: Sequence[Any] | None = (await connection.execute(asked)).scalar_one_or_none()
    return told


def covers(archived: Sequence[Span], muted: Sequence[Muted]) -> bool:
    """Whether all that must be muted is silent in an archive; it stores times of two decimals."""
    return all(any(since - 0.02 <= one.start and one.end <= until + 0.02 for since, until in archived) for one in muted)


async def archive_for_all(connection: AsyncConnection, call_id: UUID, directory: Directory) -> Archive | None:
    """The archive of a call when all is muted in it that must be, for who comes without a login; else None."""
    archive = await archive_of(connection, call_id)
    line = await connection.scalar(select(calls.c.line).where(calls.c.id == call_id))
    ready = await _is_ready(connection, call_id, directory.masking_of(line), archive)
    return archive if ready else None


async def given_up(connection: AsyncConnection, call_id: UUID) -> bool:
    """Whether the call will have no text: what was said in it can then not be muted."""
    state = await connection.scalar(select(calls.c.state).where(calls.c.id == call_id))
    return state is not None and bool(facts(state_call(state), TranscriptionGivenUp))


async def _state(connection: AsyncConnection, one: OneCall, policy: Masking, archive: Archive | None) -> State:
    if await _is_ready(connection, one.id, policy, archive):
        return "ready"
    written = await connection.scalar(select(transcripts.c.call_id).where(transcripts.c.call_id == one.id))
    return "unmasked" if written is None and facts(one.call, TranscriptionGivenUp) else "preparing"


async def _is_ready(connection: AsyncConnection, call_id: UUID, policy: Masking, archive: Archive | None) -> bool:
    latest = select(func.max(recordings.c.stored_at)).where(
        recordings.c.call_id == call_id, recordings.c.sha256.is_not(None)
    )
    asked = select(transcripts.c.made_at, transcripts.c.masked, latest.scalar_subquery().label("stored_at"))
    text = (await connection.execute(asked.where(transcripts.c.call_id == call_id))).one_or_none()
    muted = muted_from(text.masked) if text else ()
    is_silent = archive is not None and covers(archive.masked, muted)
    if not policy.kinds:
        return is_silent or not muted
    return is_silent and text is not None and (text.stored_at is None or text.made_at >= text.stored_at)


def _original(sound: Sound | None) -> Sound | None:
    archive = sound.archive if sound else None
    if sound is None or archive is None or not archive.masked:
        return sound
    if archive.original_path is None or archive.original_sha256 is None:
        return None
    kept = replace(archive, path=archive.original_path, sha256=archive.original_sha256, masked=())
    return replace(sound, archive=kept)

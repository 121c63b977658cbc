"""What a call tells about its audio: which channels may have been recorded, and the time that results are told with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from calls.call import facts
from calls.events import Arrived, RecordingStarted, VoicemailLeft, message_of
from calls.record import state_call
from calls.synthetic import SYNTHETIC
from calls.view import view
from recordings import gaps
from recordings.files import PbxFolder
from recordings.names import SIDES


@dataclass(frozen=True, slots=True)
class CallAudio:
    """What the call tells about its audio: where to look, and the time that results are told with.

    `messages`: under which name the sound of each message in voicemail is kept -> the channel that it was left on.
    `talk`: seconds that the recording of a channel must hold (`gaps.talk_owed`); `told`: the PBX said that it records;
    `refused`: it may not be recorded. `counted`: how it stands is told beside that of all calls.
    """

    call_id: UUID
    pbx: str
    line: str | None
    at: datetime
    talked: bool
    main: str
    expected: tuple[str, ...]
    channels: tuple[str, ...]
    messages: Mapping[str, str]
    talk: Mapping[str, float]
    told: bool
    refused: bool
    transfer: str
    trunk: str
    counted: bool = True

    def sides(self, folder: PbxFolder) -> list[tuple[str, str]]:
        """The sides to be kept: both of whoever talked, and the caller's of a message in voicemail.

        Of a talk that may not be recorded nothing is kept, whichever channel of it the PBX recorded nevertheless.
        """
        if not self.talked or self.refused:
            return self._both(())
        there = {one for one in self.channels if folder.has(one)}
        return self._both(sorted(there | set(self._owing())) or self.expected)

    def owed(self) -> list[tuple[str, str]]:
        """The sides that must be somewhere, wherever the PBX put them."""
        return self._both(() if self.refused else self._owing() or self.expected)

    def _owing(self) -> list[str]:
        """The channels that were to be recorded and on which somebody talked."""
        return [channel for channel in self.expected if self.talk.get(channel)]

    def _both(self, channels: Iterable[str]) -> list[tuple[str, str]]:
        both = [(channel, side) for channel in channels for side in SIDES]
        return [*both, *((channel, "caller") for channel in self.messages)]


def audio_of(row: Any) -> CallAudio:
    """Read it from the row of the call (`rows.call_of`)."""
    call = state_call(row.state)
    seen = view(call)
    told = [fact.channel for kind in (Arrived, RecordingStarted) for fact in facts(call, kind)]
    return CallAudio(
        call_id=row.id,
        pbx=row.pbx,
        line=row.line,
        # Never the clock: a job that runs twice tells the same events.
        at=seen.ended_at or seen.started_at or datetime(1970, 1, 1, tzinfo=UTC),
        talked=seen.answered_at is not None,
        main=seen.caller_channel,
        expected=tuple(dict.fromkeys(told)) or (seen.caller_channel,),
        channels=tuple(sorted(call.channels)),
        messages={message_of(fact.channel): fact.channel for fact in facts(call, VoicemailLeft)},
        talk=gaps.talk_owed(call, seen),
        told=bool(seen.recorded),
        refused=bool(seen.refused),
        transfer=gaps.transfer(seen),
        trunk=gaps.trunk(seen),
        counted=seen.direction != SYNTHETIC,
    )

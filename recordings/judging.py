"""Judges the sides of a call and writes how they stand: the rows that the gap alarm reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from recordings import rows
from recordings.call_audio import CallAudio
from recordings.files import EmptyError, RecordingError, Stored, UnusableError
from recordings.gaps import KEPT, SHORT_SECONDS, STORED, Sound, Verdict, judge, worst
from recordings.rows import Side

Sides = dict[Side, Stored | RecordingError]
"""What became of each side: the file, or why there is none."""


def owes_sound(audio: CallAudio, channel: str) -> bool:
    """Whether a file of this channel may not be empty: a talk of two seconds may leave nothing."""
    return channel in audio.messages or audio.talk.get(channel, 0.0) > SHORT_SECONDS


def verdict_of(audio: CallAudio, channel: str, told: Stored | RecordingError) -> Verdict:
    """Judge one side. Of a message in voicemail only its being there is judged: its silence was cut off."""
    if isinstance(told, RecordingError):
        unusable = "empty" if isinstance(told, EmptyError) else "unreadable"
        return Verdict(unusable if isinstance(told, UnusableError) else "missing", str(told))
    return judge(audio.talk.get(channel, 0.0), told.sound or Sound(told.seconds))


async def write(
    connection: AsyncConnection,
    audio: CallAudio,
    sides: Mapping[Side, Stored | RecordingError],
    known: Sequence[rows.Recording],
) -> list[Side]:
    """Write how the sides of the call stand, `known` ones judged anew; gives those of `sides` that are news.

    A side that was told missing and is here now is corrected, and so is one that owes nothing any more.
    """  # fmt: skip
    before = {(one.channel, one.side): one for one in known}
    states: dict[Side, str] = {}
    news: list[Side] = []
    for key, told in sides.items():
        verdict = verdict_of(audio, key[0], told)
        states[key] = verdict.state
        if key not in before or (before[key].state, before[key].reason) != (verdict.state, verdict.reason):
            await rows.write_side(connection, audio.call_id, key, told, verdict, audio.talk.get(key[0], 0.0))
            news.append(key)
    for key, one in before.items():
        if key not in sides and (state := await _again(connection, audio, one)) is not None:
            states[key] = state
    state = worst(states.values())
    if state is None or not audio.counted:
        await rows.forget_call_audio(connection, audio.call_id)
    else:
        await rows.write_call_audio(connection, audio.call_id, state, audio.transfer, audio.trunk)
    return news


async def _again(connection: AsyncConnection, audio: CallAudio, one: rows.Recording) -> str | None:
    """Judge a side of before by what is known of the call now; None: nothing is owed of it any more."""
    key, talk = (one.channel, one.side), audio.talk.get(one.channel, 0.0)
    if one.state not in KEPT:
        if talk or one.channel in audio.messages:
            return one.state
        await rows.forget_side(connection, audio.call_id, key)
        return None
    verdict = STORED
    if one.channel not in audio.messages:
        verdict = judge(talk, Sound(one.seconds or 0.0, one.loud_seconds, one.loudest_dbfs))
    if (one.state, one.reason) != (verdict.state, verdict.reason):
        await rows.judge_side(connection, audio.call_id, key, verdict, talk)
    return verdict.state

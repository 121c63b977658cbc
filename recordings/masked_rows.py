"""The policy of masking by which a call's words are kept, and the rows of what was masked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from directory.masking import MaskKind, whole
from recordings import masking, transcript
from recordings.heard import Heard
from recordings.masking import Muted
from recordings.tables import transcripts, unmasked_transcripts


@dataclass(frozen=True, slots=True)
class MaskedTalk:
    """What was heard with its numbers masked, the seconds to mute, and the original where the policy keeps it."""

    heard: Heard
    muted: tuple[Muted, ...]
    original: Heard | None


@dataclass(frozen=True, slots=True)
class Policy:
    """What is masked on a line; `region` says whose national phone numbers are meant."""

    kinds: tuple[MaskKind, ...]
    keep_original: bool
    region: str

    def mask(self, heard: Heard) -> MaskedTalk:
        """Mask what was heard; an hour of talk takes some tenths of a second."""
        masked = masking.mask(heard.words, self.kinds, self.region)
        sides = {side: replace(told, words=masked.words[side]) for side, told in heard.sides.items()}
        kept = heard if self.keep_original and masked.muted else None
        return MaskedTalk(replace(heard, sides=sides), masked.muted, kept)

    def mask_text(self, text: str) -> str:
        """Mask what somebody wrote."""
        return masking.mask_text(text, self.kinds, self.region)


_POLICY = text(
    """
    select company.region, company.masking as company, lines.masking as line
    from company left join lines on lines.number = :line
    """
)


async def policy_of(connection: AsyncConnection, line: str | None) -> Policy:
    """What is masked of talks on a line: its own words, else the company's, else what is by default."""
    row = (await connection.execute(_POLICY, {"line": (line or "").removeprefix("+")})).one_or_none()
    told = whole(row.line if row else None, row.company if row else None)
    return Policy(told.kinds or (), bool(told.keep_original), row.region if row else "RU")


async def keeps_original(connection: AsyncConnection, line: str | None) -> bool:
    """Whether text and sound of talks on a line are kept unmasked too."""
    return (await policy_of(connection, line)).keep_original


async def write_muted(connection: AsyncConnection, call_id: UUID, talk: MaskedTalk) -> None:
    """Write what is muted into the transcript of the call, and the words of the original where it is kept."""
    muted = masking.muted_json(talk.muted)
    await connection.execute(update(transcripts).where(transcripts.c.call_id == call_id).values(masked=muted))
    if talk.original is None:
        await connection.execute(delete(unmasked_transcripts).where(unmasked_transcripts.c.call_id == call_id))
        return
    row: dict[str, Any] = {"words": transcript.words_json(talk.original.words), "made_at": func.clock_timestamp()}
    statement = insert(unmasked_transcripts).values(call_id=call_id, **row)
    await connection.execute(statement.on_conflict_do_update(index_elements=["call_id"], set_=row))

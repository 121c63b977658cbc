"""The rows of what was said: sides of a recording, how complete a call's audio is, its text, what was written of it."""

from typing import Any

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR, UUID

from calls.joining import TOLD_ANEW
from directory.tables import metadata
from recordings import privacy_tables  # noqa: F401 - its rows are of this room too
from recordings.gaps import KEPT, TRANSFERS, WORST_FIRST

_MOMENT = TIMESTAMP(timezone=True)


def _one_of(column: str, values: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} in ({listed})"


def _of_text() -> Column[Any]:
    """Of the text of a call: its row goes with it, to another call or for ever."""
    text_of = ForeignKey("transcripts.call_id", ondelete="CASCADE", onupdate="CASCADE")
    return Column("call_id", UUID(as_uuid=True), text_of, primary_key=True)


recordings = Table(
    "recordings",
    metadata,
    Column("call_id", UUID(as_uuid=True), ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("channel", Text, primary_key=True, comment="The uniqueid of the channel that was recorded."),
    Column("side", Text, CheckConstraint("side in ('caller', 'staff')", name="side"), primary_key=True),
    Column("state", Text, CheckConstraint(_one_of("state", WORST_FIRST), name="state"), nullable=False),
    Column("path", Text, comment="Relative to the store."),
    Column("bytes", BigInteger),
    Column("sha256", Text),
    Column("seconds", Float),
    Column("loud_seconds", Float, comment="Of it, above the noise of a line; null: not measured."),
    Column("loudest_dbfs", Float, comment="RMS of the loudest 20 ms; null: not measured, or not a sound."),
    Column("talk_seconds", Float, comment="Of talk that it had to hold; null: not judged."),
    Column("reason", Text, comment="Why it is not well."),
    Column("stored_at", _MOMENT, nullable=False, server_default=func.now(), info=TOLD_ANEW),
    CheckConstraint(
        f"({_one_of('state', KEPT)})"
        " = (path is not null and bytes is not null and sha256 is not null and seconds is not null)",
        name="stored_is_whole",
    ),
    Index("ix_recordings_gaps", "stored_at", postgresql_where=text("state <> 'stored'")),
)

call_audio = Table(
    "call_audio",
    metadata,
    Column("call_id", UUID(as_uuid=True), ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "state",
        Text,
        CheckConstraint(_one_of("state", WORST_FIRST), name="state"),
        nullable=False,
        comment="Of its worst side.",
    ),
    Column("transfer", Text, CheckConstraint(_one_of("transfer", TRANSFERS), name="transfer"), nullable=False),
    Column("trunk", Text, nullable=False, comment="By which device who is outside was reached; empty: nobody was."),
    Column("judged_at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column(
        "not_in_crm_since",
        _MOMENT,
        comment="Since when a CRM is owed the sound and does not have it; null: none is.",
    ),
    Index("ix_call_audio_gaps", "judged_at", postgresql_where=text("state <> 'stored'")),
    Index("ix_call_audio_not_in_crm", "not_in_crm_since", postgresql_where=text("not_in_crm_since is not null")),
    comment="Whether the audio of a settled call is complete.",
)

recording_wishes = Table(
    "recording_wishes",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True, server_default=func.gen_random_uuid()),
    Column("call_id", UUID(as_uuid=True), ForeignKey("calls.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("paused", Boolean, nullable=False, comment="To pause the recording, or to go on with it."),
    Column("asked_by", Text, nullable=False, comment="Login, or the device on which keys were pressed."),
    Column("asked_at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("settled_at", _MOMENT, comment="Null: whoever attends the PBX has not done it yet."),
    Column(
        "outcome",
        Text,
        CheckConstraint("outcome in ('done', 'not_recorded', 'over', 'refused_by_pbx')", name="outcome"),
        comment="What became of it; null with settled_at.",
    ),
    CheckConstraint("(settled_at is null) = (outcome is null)", name="settled_with_outcome"),
    Index("ix_recording_wishes_open", "asked_at", postgresql_where=text("settled_at is null")),
    comment="Who wanted a recording paused or resumed; the PBX's own word of it is the event RecordingMuted.",
)

transcripts = Table(
    "transcripts",
    metadata,
    Column("call_id", UUID(as_uuid=True), ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("language", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("words", JSONB, nullable=False, comment='[{"side", "text", "start", "end", "confidence"}], seconds'),
    Column("segments", JSONB, nullable=False, comment='[{"side", "start", "end", "text"}], in the order of time'),
    Column("model", Text, nullable=False),
    Column("audio_seconds", Float, nullable=False),
    Column("took_seconds", Float, nullable=False),
    Column("made_at", _MOMENT, nullable=False, server_default=func.now()),
    Column(
        "masked",
        JSONB,
        nullable=False,
        server_default=text("'[]'::jsonb"),
        comment='[{"side", "from", "to", "kind"}], seconds, muted on both sides; the words there are masked',
    ),
    Column(
        "search",
        TSVECTOR,
        # Both at once: a Russian talk is full of English names, and a word is found in the language it was said in.
        Computed("to_tsvector('russian'::regconfig, text) || to_tsvector('english'::regconfig, text)", persisted=True),
    ),
    Index("ix_transcripts_search", "search", postgresql_using="gin"),
    Index("ix_transcripts_made_at", "made_at"),
)

unmasked_transcripts = Table(
    "unmasked_transcripts",
    metadata,
    _of_text(),
    Column("words", JSONB, nullable=False, comment="As in transcripts, before anything was masked."),
    Column("made_at", _MOMENT, nullable=False, server_default=func.now()),
    comment="Where the policy keeps originals: for the one role that may read them, never searched.",
)

comments = Table(
    "comments",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("call_id", UUID(as_uuid=True), ForeignKey("calls.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("at", Float, CheckConstraint("at >= 0", name="at"), nullable=False, comment="Second of the call's line."),
    Column("made_at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("user_id", BigInteger, ForeignKey("users.id", ondelete="SET NULL")),
    Column("by", Text, nullable=False, comment="Key of a person, or a login; kept when the login is gone."),
    Column("text", Text, comment="Null: it was deleted, and is nowhere any more."),
    Column("deleted_at", _MOMENT),
    Column("deleted_by", Text, comment="As `by`."),
    CheckConstraint("(text is null) = (deleted_at is not null)", name="deleted_when"),
    CheckConstraint("(text is null) = (deleted_by is not null)", name="deleted_by_whom"),
    comment="What colleagues wrote of a moment of a call.",
)

archives = Table(
    "archives",
    metadata,
    Column("call_id", UUID(as_uuid=True), ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("path", Text, nullable=False, comment="In the store: Ogg/Opus, the caller left, staff right."),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("masked", JSONB, nullable=False, comment="[[from, to]], seconds: muted on both sides"),
    Column(
        "parts",
        JSONB,
        nullable=False,
        comment='[{"channel", "offset", "seconds", "sides": {side: sha256 of what was stored}}]: all that is in it',
    ),
    Column("outline", JSONB, nullable=False, comment='{"caller": [loudness, 0 to 1, at equal steps], "staff": [...]}'),
    Column("original_path", Text, comment="The same without muting, when the policy keeps it."),
    Column("original_sha256", Text),
    Column("made_at", _MOMENT, nullable=False, server_default=func.now()),
    CheckConstraint("(original_path is null) = (original_sha256 is null)", name="original_is_whole"),
)

talk_facts = Table(
    "talk_facts",
    metadata,
    _of_text(),
    Column("seconds", Float, nullable=False, comment="From the first word to the last, without what was not judged."),
    Column("caller_seconds", Float, nullable=False, comment="Of speaking."),
    Column("staff_seconds", Float, nullable=False),
    Column("silence_seconds", Float, nullable=False),
    Column("longest_silence_seconds", Float, nullable=False),
    Column("longest_silence_at", Float, comment="Second of the call's line."),
    Column("caller_monologue_seconds", Float, nullable=False),
    Column("staff_monologue_seconds", Float, nullable=False),
    Column("response_seconds", Float, comment="Median pause before staff answer the caller; null: they never did."),
    Column("caller_words_per_minute", Float, comment="Null: it said too little."),
    Column("staff_words_per_minute", Float),
    Column("caller_questions", Integer, nullable=False),
    Column("staff_questions", Integer, nullable=False),
    Column("interruptions", JSONB, nullable=False, comment='[{"by": side, "at": second}]'),
    Column("steps", JSONB, nullable=False, comment='[{"step", "said", "at", "unsure"}], of the script as it was.'),
    Column("topics", JSONB, nullable=False, comment='[{"topic", "mentions": [{"side", "at", "unsure"}]}], what was.'),
    Column("unsure_share", Float, nullable=False, comment="Of words that were heard badly."),
    Column("low_confidence", Boolean, nullable=False),
    Column("made_at", _MOMENT, nullable=False, server_default=func.now()),
)

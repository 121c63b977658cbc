"""The rows of what was said: one a side of a recording, one a transcript."""

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    Float,
    ForeignKey,
    Index,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR, UUID

from directory.tables import metadata

_MOMENT = TIMESTAMP(timezone=True)

recordings = Table(
    "recordings",
    metadata,
    Column("call_id", UUID(as_uuid=True), ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("channel", Text, primary_key=True, comment="The uniqueid of the channel that was recorded."),
    Column("side", Text, CheckConstraint("side in ('caller', 'staff')", name="side"), primary_key=True),
    Column("state", Text, CheckConstraint("state in ('stored', 'missing')", name="state"), nullable=False),
    Column("path", Text, comment="Relative to the store."),
    Column("bytes", BigInteger),
    Column("sha256", Text),
    Column("seconds", Float),
    Column("reason", Text, comment="Why it is missing."),
    Column("stored_at", _MOMENT, nullable=False, server_default=func.now()),
    CheckConstraint(
        "(state = 'stored') = (path is not null and bytes is not null and sha256 is not null and seconds is not null)",
        name="stored_is_whole",
    ),
    Index("ix_recordings_missing", "stored_at", postgresql_where=text("state = 'missing'")),
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
        "search",
        TSVECTOR,
        # Both at once: a Russian talk is full of English names, and a word is found in the language it was said in.
        Computed("to_tsvector('russian'::regconfig, text) || to_tsvector('english'::regconfig, text)", persisted=True),
    ),
    Index("ix_transcripts_search", "search", postgresql_using="gin"),
)

"""The rows of what happened: events are the truth, calls and legs are folded from them."""

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from directory.tables import metadata

_MOMENT = TIMESTAMP(timezone=True)
_NO_TEXTS = text("'{}'::text[]")

calls = Table(
    "calls",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True, server_default=func.gen_random_uuid()),
    Column("pbx", Text, nullable=False),
    Column("linkedids", ARRAY(Text), nullable=False, server_default=_NO_TEXTS),
    Column("joined_into", UUID(as_uuid=True), ForeignKey("calls.id")),
    Column("state", JSONB, nullable=False),
    Column("direction", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("line", Text),
    Column("caller_number", Text),
    Column("caller_name", Text),
    Column("dialed", Text, nullable=False, server_default=text("''")),
    Column("started_at", _MOMENT),
    Column("answered_at", _MOMENT),
    Column("ended_at", _MOMENT),
    Column("settled_at", _MOMENT),
    Column("missed_cause", Text),
    Column("answered_by", ARRAY(Text), nullable=False, server_default=_NO_TEXTS),
    Column("person", Text),
    Column("talk_seconds", Float, nullable=False, server_default=text("0")),
    Column("wait_seconds", Float, nullable=False, server_default=text("0")),
    Column("hold_seconds", Float, nullable=False, server_default=text("0")),
    Column("party_id", BigInteger),
    Column("lead_id", BigInteger),
    Column("recovered", Boolean, nullable=False, server_default=text("false")),
    Column("updated_at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Index("ix_calls_started_at_id", "started_at", "id", postgresql_where=text("joined_into is null")),
    Index("ix_calls_caller_number_started_at", "caller_number", "started_at"),
    Index("ix_calls_person_started_at", "person", "started_at"),
    Index("ix_calls_open", "updated_at", postgresql_where=text("settled_at is null and joined_into is null")),
)

legs = Table(
    "legs",
    metadata,
    Column("call_id", UUID(as_uuid=True), ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("device", Text, primary_key=True),
    Column("number", Text, nullable=False, server_default=text("''")),
    Column("person", Text),
    Column("outcome", Text),
    Column("rang", Boolean, nullable=False),
    Column("started_at", _MOMENT),
    Column("rang_at", _MOMENT),
    Column("answered_at", _MOMENT),
    Column("ended_at", _MOMENT),
    Column("hangup_cause", Integer),
    Index("ix_legs_person_started_at", "person", "started_at"),
)

call_names = Table(
    "call_names",
    metadata,
    Column("pbx", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("call_id", UUID(as_uuid=True), ForeignKey("calls.id", ondelete="CASCADE"), nullable=False, index=True),
)

call_events = Table(
    "call_events",
    metadata,
    Column("at", _MOMENT, primary_key=True, comment="The PBX's time; the time of receipt for an untimed event."),
    Column("digest", LargeBinary, primary_key=True, comment="SHA-256 of the event: told twice is kept once."),
    Column("call_id", UUID(as_uuid=True), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("body", JSONB, nullable=False),
    Column("received_at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    postgresql_partition_by="RANGE (at)",
    comment="Append-only, partitioned by month: the truth that everything else is folded from.",
)

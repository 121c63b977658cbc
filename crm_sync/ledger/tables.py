"""The rows of the ledger: to which CRMs we are connected, what each is owed and was told, and how it answered."""

from __future__ import annotations

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from crm_sync.crm import STEPS
from directory.tables import metadata

CONNECTION_STATES = ("active", "shadow", "stopped")
EFFECT_STATES = ("planned", "sent", "unknown", "done", "dead", "shadow")
OPEN_STATES = ("planned", "sent", "unknown")
UNSETTLED_STATES = (*OPEN_STATES, "dead")
"""What a person may have to look after; of these there are few, however long the ledger is."""

_MOMENT = TIMESTAMP(timezone=True)


def _one_of(column: str, values: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} in ({listed})"


crm_connections = Table(
    "crm_connections",
    metadata,
    Column("key", Text, primary_key=True),
    Column("kind", Text, nullable=False, comment="As crm_sync.kinds names it."),
    Column(
        "account", Text, nullable=False, comment="What shares the limits of the CRM: its kind and host, else the key."
    ),
    Column("settings", JSONB, nullable=False, comment="What is no secret: of the address its origin."),
    Column("secrets", LargeBinary, nullable=False, comment="AES-256-GCM of JSON, with the key of the environment."),
    Column("steps", ARRAY(Text), nullable=False, comment="What it is to be told."),
    Column("state", Text, CheckConstraint(_one_of("state", CONNECTION_STATES), name="state"), nullable=False),
    Column(
        "stopped_by",
        Text,
        comment="hand, new (never started yet), or the kind of the error that ended it; null: it is not stopped.",
    ),
    Column(
        "goes_on_as",
        Text,
        CheckConstraint(_one_of("goes_on_as", ("active", "shadow")), name="goes_on_as"),
        nullable=False,
        server_default=text("'active'"),
        comment="What it was before it was stopped, and is again when it is let in again.",
    ),
    Column("paused_until", _MOMENT, comment="Nothing is sent before: it asked to wait, or nobody is there."),
    Column("paused_at", _MOMENT, comment="When it was paused last; what was sent after it and taken ends the pause."),
    Column("quiet_until", _MOMENT, comment="It is asked nothing before, but told what happens: it was asked too much."),
    Column("failures", Integer, nullable=False, server_default=text("0"), comment="Pauses in a row."),
    Column(
        "since",
        _MOMENT,
        nullable=False,
        server_default=func.clock_timestamp(),
        comment="What was over before is not owed to it.",
    ),
    Column("probed_at", _MOMENT, comment="When it was asked last how it is; null: never."),
    Column("missing", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]"), comment="What it lacked then."),
    Column("access_ends_at", _MOMENT, comment="When its keys end, as it said then; null: never, or nobody knows."),
    Column(
        "probe_error",
        Text,
        comment="Why it could not be asked then: the kind of the error and its text; null: it answered.",
    ),
    Column("created_at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("changed_at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    CheckConstraint("(state = 'stopped') = (stopped_by is not null)", name="stopped_by_somebody"),
    comment="CRMs and others who are told what happens.",
)

crm_effects = Table(
    "crm_effects",
    metadata,
    Column("key", UUID(as_uuid=True), primary_key=True, comment="Half of SHA-256 of connection, PBX, call and step."),
    Column("number", BigInteger, Identity(), nullable=False, comment="The order in which they were planned."),
    Column("connection", Text, ForeignKey("crm_connections.key", ondelete="CASCADE"), nullable=False),
    Column("call_id", UUID(as_uuid=True), ForeignKey("calls.id", ondelete="CASCADE")),
    Column("step", Text, CheckConstraint(_one_of("step", STEPS), name="step"), nullable=False),
    Column("subject", BigInteger, comment="Id of the row that tells what happened to a task or a lead."),
    Column("lane", Text, nullable=False, comment="A digest of whom it is about: one at a time of each."),
    Column("waits", Boolean, nullable=False, comment="What it tells of is not there yet: nothing sends it."),
    Column("state", Text, CheckConstraint(_one_of("state", EFFECT_STATES), name="state"), nullable=False),
    Column("remote_id", Text, comment="What it is called there."),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("request", JSONB, comment="What is told, as it read at first; of sound and text which."),
    Column("answer", JSONB, comment="What was said last, masked and cut."),
    Column("error", Text, comment="The kind of the last error; null: none."),
    Column("planned_at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("first_sent_at", _MOMENT, comment="Since when it is tried; a retry by hand begins anew."),
    Column("sent_at", _MOMENT, comment="The last attempt; of a doubt when it arose."),
    Column("next_at", _MOMENT, comment="Not before; null: as soon as it is its turn."),
    Column("ended_at", _MOMENT, comment="Since when it is done, dead or shadow."),
    CheckConstraint("(ended_at is null) = (state in ('planned', 'sent', 'unknown'))", name="ended"),
    Index("ix_crm_effects_call_id", "call_id"),
    Index("ix_crm_effects_connection_number", "connection", "number"),
    Index("ix_crm_effects_subject", "connection", "step", "subject", postgresql_where=text("subject is not null")),
    Index("ix_crm_effects_waiting", "next_at", postgresql_where=text("waits and ended_at is null")),
    Index("ix_crm_effects_kept", "ended_at", postgresql_where=text("request is not null")),
    Index(
        "ix_crm_effects_passing",
        "ended_at",
        postgresql_where=text(
            "step in ('call_started', 'call_answered', 'task', 'lead', 'message') and remote_id is null"
        ),
    ),
    Index(
        "ix_crm_effects_open",
        "connection",
        "planned_at",
        postgresql_where=text("state in ('planned', 'sent', 'unknown', 'dead')"),
    ),
    comment="The ledger: what each connection is owed, exactly once.",
)

crm_requests = Table(
    "crm_requests",
    metadata,
    Column("connection", Text, ForeignKey("crm_connections.key", ondelete="CASCADE"), primary_key=True),
    Column("operation", Text, primary_key=True),
    Column("result", Text, primary_key=True),
    Column("seconds_most", Float, primary_key=True, comment="The bucket that it took at most."),
    Column("request_count", BigInteger, nullable=False),
    Column("seconds", Float, nullable=False),
    comment="How many requests were sent to whom, what became of them and how long they took.",
)

"""The rows of this room: what devices answer, owners that a CRM told last, and calls out that were asked for."""

from typing import Final

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    Index,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import UUID

from directory.tables import metadata
from routing.outgoing import PURPOSES

WEEK_HOURS: Final = 168

STATES: Final = ("refused", "dialled", "wanted", "placing", "placed", "connected", "failed")
"""refused, or dialled on a phone and allowed; else wanted, then placing (a service took it), placed (the PBX took it),
connected (who is called first answered) or failed."""

UNDER_WAY: Final = ("wanted", "placing", "placed")

device_answers = Table(
    "device_answers",
    metadata,
    Column("device", Text, nullable=False, comment="As the directory writes it."),
    Column("hour", SmallInteger, nullable=False, comment="Of its person's week: 0 is Monday, midnight to one."),
    Column("rang", Float, nullable=False, comment="Rings, each by the weight of its time (routing.learned)."),
    Column("answered", Float, nullable=False, comment="Those of them that were answered."),
    PrimaryKeyConstraint("device", "hour"),
    CheckConstraint(f"hour between 0 and {WEEK_HOURS - 1}", name="hour"),
    CheckConstraint("answered >= 0 and rang >= answered", name="shares"),
    comment="Learned from the legs of settled calls; `switchhook rebuild` learns it anew.",
)

owner_copies = Table(
    "owner_copies",
    metadata,
    Column("number", Text, primary_key=True, comment="E.164 digits without plus."),
    Column("owner", Text, comment="Key of a person; null: the CRM said that nobody owns it."),
    Column("told_at", TIMESTAMP(timezone=True), nullable=False, comment="When the CRM said so."),
    comment="What a CRM said last, for the calls it does not answer in time for; losing it costs one look-up each.",
)

outgoing_calls = Table(
    "outgoing_calls",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True, server_default=func.gen_random_uuid()),
    Column("asked_at", TIMESTAMP(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("purpose", Text, CheckConstraint(f"purpose in {PURPOSES!r}", name="purpose"), nullable=False),
    Column("state", Text, CheckConstraint(f"state in {STATES!r}", name="state"), nullable=False),
    Column("reason", Text, comment="Key of why it was refused or failed."),
    Column("number", Text, nullable=False, comment="E.164 digits; as it was told where it is no such number."),
    Column("person", Text, comment="Key of who calls; null: a device that is nobody's."),
    Column("asked_by", Text, comment="Login, or the device, that asked."),
    Column("line", Text, comment="The line that it goes out as."),
    Column("idempotency_key", Text, comment="Whoever asks again with the same key is told of this one."),
    Column("per_minute", Numeric, nullable=False, server_default=text("0")),
    Column("follow_up", BigInteger, comment="The follow-up that is called back."),
    Column("pbx", Text, comment="Name of the PBX in the settings; null: whichever takes it."),
    Column("channel", Text, comment="Uniqueid of its first channel, by which its call is found."),
    Column("device", Text, comment="What was called first."),
    Column("changed_at", TIMESTAMP(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    UniqueConstraint("asked_by", "idempotency_key"),
    Index("ix_outgoing_calls_asked_at", "asked_at"),
    Index("ix_outgoing_calls_channel", "channel"),
    Index("ix_outgoing_calls_number_asked_at", "number", "asked_at"),
    Index("ix_outgoing_calls_refused", "reason", postgresql_where=text("state = 'refused'")),
    Index("ix_outgoing_calls_under_way", "state", postgresql_where=text(f"state in {UNDER_WAY!r}")),
    Index(
        "ix_outgoing_calls_one_callback_each",
        "number",
        unique=True,
        postgresql_where=text(f"purpose = 'callback' and state in {UNDER_WAY!r}"),
    ),
    comment="Append-only but for its state: also the audit of what was refused.",
)

"""The rows of the lead book: parties, the numbers they call from, their leads."""

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import UUID

from crm_sync.lifecycle import OPEN, STAGES
from directory.tables import metadata

_MOMENT = TIMESTAMP(timezone=True)


def _one_of(column: str, values: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} in ({listed})"


parties = Table(
    "parties",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, comment="As the trunk told it, or as a person wrote it; null: unknown."),
    Column("do_not_call_at", _MOMENT, comment="Since when they do not want to be called; null: they may be."),
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
)

unwanted_digests = Table(
    "unwanted_digests",
    metadata,
    Column("digest", LargeBinary, primary_key=True, comment="HMAC-SHA256 of E.164 digits with the key of wishes."),
    Column("since", _MOMENT, nullable=False),
    comment="Numbers of erased people who did not want to be called: still not called, and not to be read here.",
)

party_numbers = Table(
    "party_numbers",
    metadata,
    Column("number", Text, primary_key=True, comment="E.164 digits without plus where it can be told."),
    Column("party_id", BigInteger, ForeignKey("parties.id", ondelete="CASCADE"), nullable=False, index=True),
)

leads = Table(
    "leads",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("party_id", BigInteger, ForeignKey("parties.id", ondelete="CASCADE"), nullable=False),
    Column("stage", Text, CheckConstraint(_one_of("stage", STAGES), name="stage"), nullable=False),
    Column("owner", Text, comment="Key of a person; null: nobody yet."),
    Column("source_line", Text),
    Column("opened_at", _MOMENT, nullable=False),
    Column("deadline_at", _MOMENT, comment="To be taken into work or qualified by then."),
    Column("closed_at", _MOMENT),
    Column("created_by_call", UUID(as_uuid=True), unique=True),
    Index("ix_leads_one_open_each", "party_id", unique=True, postgresql_where=text(_one_of("stage", OPEN))),
    Index("ix_leads_stage_id", "stage", "id"),
    Index("ix_leads_owner_id", "owner", "id"),
)

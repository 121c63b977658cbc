"""The rows of who may still know what was said, and who did what to it."""

from typing import Final

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, INET, JSONB, UUID

from directory.tables import metadata

_MOMENT = TIMESTAMP(timezone=True)

REMOVED: Final = ("audio", "transcript", "party")
"""The sound; the text with all that was read from it; who the other side was."""

CAUSES: Final = ("policy", "erasure", "refusal")
"""Why it was removed; `refusal`: it came to light later that the caller had refused to be recorded."""

ACTIONS: Final = (
    "recording_paused",
    "recording_resumed",
    "original_heard",
    "masked_anew",
    "hold_set",
    "hold_lifted",
    "retention_applied",
    "erase_asked",
    "erased",
    "link_made",
    "link_used",
    "link_revoked",
    "link_key_made",
    "leads_imported",
    "leads_exported",
    "crm_added",
    "crm_secret_made",
    "crm_started",
    "crm_stopped",
    "crm_retried",
    "crm_discarded",
    "crm_removed",
    "lead_rules_changed",
    "do_not_call_set",
    "do_not_call_lifted",
    "party_renamed",
    "party_number_added",
    "crm_granted",
    "crm_paired",
    "crm_repaired",
    "crm_changed",
    "calls_exported",
    "view_saved",
    "view_removed",
    "call_overheard",
    "wall_link_made",
    "wall_link_revoked",
)
"""What is written down besides listening (`listens`); `recordings.audit` says what each is about."""

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("actor", Text, nullable=False, comment="A login, kept when it is gone; or switchhook, or command line."),
    Column("user_id", BigInteger, comment="Refers to no row: a login that is removed changes nothing here."),
    Column("action", Text, CheckConstraint(f"action in {ACTIONS!r}", name="action"), nullable=False),
    Column("subject", Text, nullable=False, comment="What it was done to: call ID, hold ID, link ID, erasure ID."),
    Column("details", JSONB, nullable=False, server_default=text("'{}'"), comment="No number, no name of a party."),
    Column("address", INET, comment="Whence it was asked; null: not by the network."),
    Index("ix_audit_at", "at"),
    Index("ix_audit_subject_at", "subject", "at"),
    comment="Append-only: a trigger refuses every update and delete.",
)

removals = Table(
    "removals",
    metadata,
    Column("call_id", UUID(as_uuid=True), ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", Text, CheckConstraint(f"kind in {REMOVED!r}", name="kind"), primary_key=True),
    Column("at", _MOMENT, nullable=False, server_default=func.now()),
    Column("cause", Text, CheckConstraint(f"cause in {CAUSES!r}", name="cause"), nullable=False),
    Index("ix_removals_at", "at"),
    comment="What was removed of a call, so that nobody misses it as lost.",
)

holds = Table(
    "holds",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("call_id", UUID(as_uuid=True), ForeignKey("calls.id", ondelete="CASCADE"), index=True),
    Column("number", Text, comment="E.164 digits: every call and fact of whoever has it."),
    Column("reason", Text, nullable=False),
    Column("set_by", Text, nullable=False, comment="A login, or command line."),
    Column("set_at", _MOMENT, nullable=False, server_default=func.now()),
    CheckConstraint("num_nonnulls(call_id, number) = 1", name="one_subject"),
    Index("ix_holds_number", "number", unique=True, postgresql_where=text("number is not null")),
    comment="Kept by law, whatever policy and erasure say; lifting removes the row, the audit keeps both.",
)

erasures = Table(
    "erasures",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("asked_at", _MOMENT, nullable=False, server_default=func.now()),
    Column("asked_by", Text, nullable=False, comment="A login, or command line."),
    Column("numbers", ARRAY(Text), comment="Whom to erase, while it goes on."),
    Column("pseudonym", Text, nullable=False, comment="Random; stands for the numbers in the calls that stay."),
    Column("report", JSONB, nullable=False, server_default=text("'{}'"), comment="What went and what stayed."),
    Column("finished_at", _MOMENT),
    CheckConstraint("(finished_at is null) = (numbers is not null)", name="forgets"),
    comment="Persons erased on request; of who they were nothing is left here.",
)

links = Table(
    "links",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("call_id", UUID(as_uuid=True), ForeignKey("calls.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("key_id", BigInteger, ForeignKey("keys.id"), nullable=False, comment="What signed it."),
    Column("made_by", Text, nullable=False, comment="A login."),
    Column("made_at", _MOMENT, nullable=False, server_default=func.now()),
    Column("expires_at", _MOMENT, nullable=False),
    Column("revoked_at", _MOMENT),
    comment="Addresses at which a recording is heard without a login, until they expire or are revoked.",
)

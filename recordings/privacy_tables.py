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
    *("recording_paused", "recording_resumed", "original_heard", "masked_anew"),
    *("hold_set", "hold_lifted", "retention_applied", "erase_asked", "erased"),
    *("link_made", "link_used", "link_revoked", "link_key_made"),
    *("leads_imported", "leads_exported", "lead_rules_changed", "lead_changed", "task_done"),
    *("do_not_call_set", "do_not_call_lifted", "party_renamed", "party_number_added", "parties_merged", "merge_undone"),
    *("crm_added", "crm_secret_made", "crm_started", "crm_stopped", "crm_retried", "crm_discarded", "crm_removed"),
    *("crm_granted", "crm_paired", "crm_repaired", "crm_changed"),
    *("status_set", "absence_set", "absence_ended", "call_asked"),
    *("follow_up_closed", "follow_up_taken", "follow_up_let_go"),
    *("logged_in", "login_refused", "logged_out", "language_chosen"),
    *("user_added", "user_changed", "user_disabled", "user_enabled", "sessions_ended"),
    *("provider_connected", "provider_forgotten"),
    *("call_controlled", "help_asked", "help_withdrawn", "outcome_told", "cards_chosen"),
    *("comment_made", "comment_deleted", "leads_given"),
    *("calls_exported", "view_saved", "view_removed"),
    *("call_overheard", "wall_link_made", "wall_link_revoked"),
    *("password_link_made", "password_set", "token_made", "token_revoked", "jobs_retried", "audit_exported"),
    *("directory_changed", "backup_made", "database_restored"),
    *("plan_set", "plans_imported", "report_exported"),
)
"""What is written down besides listening (`listens`); a test asks that the pages have words for each."""

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("actor", Text, nullable=False, comment="A login, kept when it is gone; or switchhook, or command line."),
    Column("user_id", BigInteger, comment="Refers to no row: a login that is removed changes nothing here."),
    Column("action", Text, CheckConstraint("action ~ '^[a-z][a-z0-9_]{0,59}$'", name="action"), nullable=False),
    Column("subject", Text, nullable=False, comment="What it was done to, as a kind and an id: call ID, user ID."),
    Column("details", JSONB, nullable=False, server_default=text("'{}'"), comment="No number, no name of a party."),
    Column("before", JSONB(none_as_null=True), comment="What was changed, as it was; no secret, no name of a party."),
    Column("after", JSONB(none_as_null=True), comment="The same as it is now; null: it is gone, or details tell it."),
    Column("address", INET, comment="Whence it was asked; null: not by the network."),
    Column("request", Text, comment="The answer's X-Request-Id; null: asked for by no request."),
    Index("ix_audit_at", "at"),
    Index("ix_audit_subject_at", "subject", "at"),
    Index("ix_audit_actor_at", "actor", "at"),
    Index("ix_audit_action_at", "action", "at"),
    comment="Who did what by pages, API and commands. Append-only: a trigger refuses every update and delete.",
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

"""The rows of what a connection works with: what lets it in, how much it has sent, and who is who there."""

from __future__ import annotations

from typing import Final

from sqlalchemy import TIMESTAMP, Column, Double, ForeignKey, Index, Integer, LargeBinary, Table, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB, UUID

from directory.tables import metadata

_MOMENT = TIMESTAMP(timezone=True)


def _whose() -> Column[str]:
    return Column("connection", Text, ForeignKey("crm_connections.key", ondelete="CASCADE"), primary_key=True)


crm_grants: Final = Table(
    "crm_grants",
    metadata,
    _whose(),
    Column(
        "sealed", LargeBinary, nullable=False, comment="The tokens: AES-256-GCM of JSON, as crm_connections.secrets."
    ),
    Column("number", Integer, nullable=False, server_default=text("1"), comment="How many there were."),
    Column("expires_at", _MOMENT, comment="When the access ends and is renewed; null: never."),
    Column("refresh_expires_at", _MOMENT, comment="When it cannot be renewed any more; null: never."),
    Column("granted_at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    comment="What lets us into CRMs that give access by OAuth.",
)

crm_paces: Final = Table(
    "crm_paces",
    metadata,
    Column("account", Text, primary_key=True, comment="As crm_connections.account."),
    Column("bucket", Text, primary_key=True, comment="What is limited together: all requests, or one method."),
    Column("level", Double, nullable=False, server_default=text("0"), comment="How full it was at `level_at`."),
    Column("level_at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("used", Double, comment="What the CRM says that we used of `most`; null: it does not say."),
    Column("most", Double),
    Column("resets_at", _MOMENT, comment="When what was used is forgotten there."),
    comment="How much was sent to CRMs that limit it, by all processes and connections to one account together.",
)

crm_users: Final = Table(
    "crm_users",
    metadata,
    _whose(),
    Column("user", Text, primary_key=True, comment="What the CRM calls them."),
    Column("name", Text, nullable=False, server_default=text("''")),
    Column("extension", Text, comment="Their internal number, as the CRM has it."),
    Column("email", Text, comment="Their mailbox, as the CRM has it."),
    Column("person", Text, ForeignKey("people.key", ondelete="SET NULL"), comment="Who it is, said by hand."),
    Column("seen_at", _MOMENT, comment="When the CRM named them last; null: it never did."),
    Index("uq_crm_users_person", "connection", "person", unique=True, postgresql_where=text("person is not null")),
    comment="Who is who in a CRM: what it said last, and what was said by hand.",
)

crm_heard: Final = Table(
    "crm_heard",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("connection", Text, ForeignKey("crm_connections.key", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False, comment="As crm_sync.crm.Heard names it."),
    Column("told", JSONB, comment="What it told; null: it was acted on."),
    Column("remote_id", Text, comment="What the CRM calls the call that somebody asked for there."),
    Column("wish", UUID(as_uuid=True), comment="The call out that was asked for, as outgoing_calls.id."),
    Column("heard_at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Index("ix_crm_heard_remote", "connection", "remote_id", postgresql_where=text("remote_id is not null")),
    Index("ix_crm_heard_waits", "connection", "kind", postgresql_where=text("told is not null")),
    Index("ix_crm_heard_wish", "wish", postgresql_where=text("wish is not null")),
    Index("ix_crm_heard_at", "heard_at"),
    comment="What CRMs told us, until it is acted on; of clicks which call came of them, for a week.",
)

crm_comparisons: Final = Table(
    "crm_comparisons",
    metadata,
    _whose(),
    Column("next_at", _MOMENT, nullable=False, comment="When it is compared again; whoever does so moves it first."),
    Column("since", _MOMENT, comment="The period that was compared last; null: none was yet."),
    Column("until", _MOMENT),
    Column("compared_at", _MOMENT),
    Column("differences", Integer, comment="How many calls differed; not to know counts as one."),
    Column("failed", Text, comment="Why what the CRM holds could not be compared; null: it was, or cannot be read."),
    comment="What the last comparison of each connection with its CRM found.",
)

"""What the web room keeps itself: who listened to what."""

from sqlalchemy import TIMESTAMP, BigInteger, Column, ForeignKey, Identity, Index, Table, Text, func
from sqlalchemy.dialects.postgresql import INET, UUID

from directory.tables import metadata

listens = Table(
    "listens",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("at", TIMESTAMP(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("user_id", BigInteger, ForeignKey("users.id", ondelete="SET NULL")),
    Column("login", Text, nullable=False, comment="Kept when the login is gone."),
    Column("call_id", UUID(as_uuid=True), nullable=False, index=True),
    Column("what", Text, nullable=False, comment="caller, staff, both or transcript."),
    Column("address", INET),
    Index("ix_listens_user_id_at", "user_id", "at"),
    comment="Append-only: every listening to a recording and every reading of a transcript by the API or a page.",
)

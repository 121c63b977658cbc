"""The rows of what people are told, and how each message of it fared."""

from typing import Final

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from directory.tables import metadata
from notices.model import SUBJECTS

_MOMENT: Final = TIMESTAMP(timezone=True)

SENT_BY: Final = ("email", "telegram", "webhook")
"""The channels that a message is sent by; the page reads the notice itself."""

STATES: Final = ("planned", "sent", "done", "dead")
"""Of a message: to be sent; sent, and whether it arrived is not known; taken by the other side; never to be sent."""


def _one_of(column: str, values: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} in ({listed})"


notices = Table(
    "notices",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("person", Text, ForeignKey("people.key", ondelete="CASCADE"), nullable=False),
    Column("key", Text, nullable=False, comment="What happened; a person is told it once."),
    Column("kind", Text, nullable=False),
    Column("subject", Text, CheckConstraint(_one_of("subject", SUBJECTS), name="subject"), nullable=False),
    Column("subject_id", Text, nullable=False, server_default=text("''"), comment="The call's, the lead's, …"),
    Column("values", JSONB, nullable=False, server_default=text("'{}'::jsonb"), comment="Of our own: nobody outside."),
    Column("on_page", Boolean, nullable=False, comment="The person wants it on the pages."),
    Column("shown", Boolean, comment="The person wants it on the pages; null: on_page tells it."),
    Column("made_at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("read_at", _MOMENT, comment="When the person said that they had seen it."),
    UniqueConstraint("person", "key"),
    Index("ix_notices_person_id", "person", "id"),
    Index("ix_notices_unread", "person", postgresql_where=text("read_at is null and on_page")),
    Index("ix_notices_made_at", "made_at"),
    comment="What people of the house were told, once each.",
)

notice_messages = Table(
    "notice_messages",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True, server_default=func.gen_random_uuid()),
    Column("notice_id", BigInteger, ForeignKey("notices.id", ondelete="CASCADE"), nullable=False),
    Column("channel", Text, CheckConstraint(_one_of("channel", SENT_BY), name="channel"), nullable=False),
    Column("state", Text, CheckConstraint(_one_of("state", STATES), name="state"), nullable=False),
    Column("reason", Text, comment="Why it is where it is, as a key; null: all is well."),
    Column("due_at", _MOMENT, nullable=False, comment="Not before: the person has their quiet until then."),
    Column("tried_count", Integer, nullable=False, server_default=text("0")),
    Column("changed_at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    UniqueConstraint("notice_id", "channel"),
    Index("ix_notice_messages_open", "due_at", postgresql_where=text("state = 'planned'")),
    comment="One message a notice and channel that it is sent by.",
)

dead_channels = Table(
    "dead_channels",
    metadata,
    Column("person", Text, ForeignKey("people.key", ondelete="CASCADE"), primary_key=True),
    Column("channel", Text, CheckConstraint(_one_of("channel", SENT_BY), name="channel"), primary_key=True),
    Column("address_digest", LargeBinary, nullable=False, comment="SHA-256 of the address that is dead."),
    Column("reason", Text, nullable=False),
    Column("since", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    comment="Addresses that no message reaches any more; another address of the person lives.",
)

notice_counts = Table(
    "notice_counts",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("result", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    comment="How many messages ended how, since ever: the messages themselves are forgotten.",
)

"""What the web room keeps: who listened to what, tokens of PBXes, links of wallboards, files to be imported, a look."""

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
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
)
from sqlalchemy.dialects.postgresql import INET, JSONB, UUID

from directory.tables import metadata

listens = Table(
    "listens",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("at", TIMESTAMP(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("user_id", BigInteger, ForeignKey("users.id", ondelete="SET NULL")),
    Column("login", Text, nullable=False, comment="Kept when the login is gone."),
    Column("call_id", UUID(as_uuid=True), nullable=False, index=True),
    Column("what", Text, nullable=False, comment="caller, staff, both, transcript, search, export or original."),
    Column("address", INET),
    Index("ix_listens_user_id_at", "user_id", "at"),
    comment="Append-only: every listening to a recording and every reading of a transcript by the API or a page.",
)

password_tries = Table(
    "password_tries",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("address", Text, nullable=False, comment="Who tried, as `web.addresses.counted` tells it."),
    Column(
        "login",
        LargeBinary,
        nullable=False,
        comment="HMAC-SHA256 of what was typed, for it may be a password, by a key of the house.",
    ),
    Column("at", TIMESTAMP(timezone=True), nullable=False, server_default=func.clock_timestamp(), index=True),
    Index("ix_password_tries_address_at", "address", "at"),
    comment="Passwords that were looked at in the last minutes and did not fit; the web role forgets what is older.",
)

upload_tokens = Table(
    "upload_tokens",
    metadata,
    Column("digest", LargeBinary, primary_key=True, comment="SHA-256 of the token; shown once, never stored."),
    Column("pbx", Text, nullable=False, comment="The PBX whose recordings it may send, and nothing else."),
    Column("created_at", TIMESTAMP(timezone=True), nullable=False, server_default=func.now()),
    Column("used_at", TIMESTAMP(timezone=True)),
    Column("revoked_at", TIMESTAMP(timezone=True)),
    comment="They open no page and no other path of the API.",
)

import_drafts = Table(
    "import_drafts",
    metadata,
    Column("digest", LargeBinary, primary_key=True, comment="SHA-256 of the token that the form holds."),
    Column(
        "session",
        LargeBinary,
        ForeignKey("sessions.digest", ondelete="CASCADE"),
        nullable=False,
        unique=True,
        comment="Whose form it is; a session has one.",
    ),
    Column("body", LargeBinary, nullable=False, comment="The file as it was sent."),
    Column("mapping", JSONB, nullable=False, comment="What its columns were told to be."),
    Column("expires_at", TIMESTAMP(timezone=True), nullable=False),
    comment="Files that were looked at and are not imported yet; they go within the hour, and with any erasure.",
)

saved_views = Table(
    "saved_views",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("user_id", BigInteger, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, comment="Whose it is."),
    Column("name", Text, nullable=False),
    Column("filters", JSONB, nullable=False, comment="Of the list of calls, by their names there; never a number."),
    Column("team", Text, index=True, comment="Key of the team whose people see it too; null: nobody does."),
    Column("changed_at", TIMESTAMP(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("user_id", "name"),
    comment="Filters of the list of calls that somebody gave a name.",
)

wall_links = Table(
    "wall_links",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True, comment="SHA-256 of what its address holds."),
    Column("label", Text, nullable=False, comment="Which screen it is for."),
    Column("team", Text, comment="Key of the team that it shows; null: the whole house."),
    Column("made_by", Text, nullable=False, comment="A login, or command line."),
    Column("made_at", TIMESTAMP(timezone=True), nullable=False, server_default=func.now()),
    Column("used_at", TIMESTAMP(timezone=True), comment="When a screen came last, to the minute."),
    Column("revoked_at", TIMESTAMP(timezone=True)),
    comment="Addresses at which a screen shows the wallboard without a login; they open nothing else.",
)

doctor_checks = Table(
    "doctor_checks",
    metadata,
    Column("name", Text, primary_key=True),
    Column("position", Integer, nullable=False, comment="Its place in the list."),
    Column("state", Text, CheckConstraint("state in ('ok', 'warn', 'fail')", name="state"), nullable=False),
    Column("why", Text, nullable=False),
    Column("remedy", Text, nullable=False),
    Column("since", TIMESTAMP(timezone=True), nullable=False, comment="When it began to stand so."),
    Column(
        "examined_at",
        TIMESTAMP(timezone=True),
        nullable=False,
        comment="The same for all that were looked at together.",
    ),
    comment="The doctor's daily look, a row a check; one not looked at this time keeps its last word.",
)

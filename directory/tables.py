"""The directory's rows, the logins, and the one MetaData that every room's tables join."""

from typing import Final

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
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON, JSONB

from directory.rules import STRATEGIES

NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

_NO_TEXTS: Final = text("'{}'::text[]")
_STATUS: Final = "status in ('available', 'away', 'do_not_disturb', 'wrap_up')"
_ROLE: Final = "role in ('manager', 'head', 'operator', 'admin')"
_SCOPE: Final = "scope in ('all', 'read')"
_STRATEGY: Final = f"strategy in ({', '.join(repr(name) for name in STRATEGIES)})"

_MASKING: Final = '{"kinds": [...], "keep_original": false, "readers": role}, what is told only.'
_RETENTION: Final = '{"audio_days": 90, "missed": {"party_days": 365}}, what is told only.'
_LEADS: Final = "The policy of leads, what is told only."
_NPS: Final = "After what clients are asked about recommending the house, what is told only."
_FOLLOW_UP: Final = '{"owners": [...], "minutes": 60, "person": key}, what is told only.'

_TOPICS: Final = '[{"name", "words": [word or phrase, ...]}], what talks are looked through for.'
_SCRIPT: Final = '[{"step", "phrases": [...]}], what staff say.'

metadata: Final = MetaData(naming_convention=NAMING)
"""Every table of the service; migrations compare the database with it."""

company = Table(
    "company",
    metadata,
    Column("id", SmallInteger, CheckConstraint("id = 1", name="one_row"), primary_key=True, server_default=text("1")),
    Column("name", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("outgoing", JSONB, nullable=False, server_default=text("'{}'"), comment="Who may call where, how much."),
    Column("ring_seconds_least", Integer, nullable=False, server_default=text("10")),
    Column("follow_up", JSONB, nullable=False, server_default=text("'{}'::jsonb"), comment=_FOLLOW_UP),
    Column("masking", JSONB, nullable=False, server_default=text("'{}'::jsonb"), comment=_MASKING),
    Column("retention", JSONB, nullable=False, server_default=text("'{}'::jsonb"), comment=_RETENTION),
    Column("topics", JSONB, nullable=False, server_default=text("'[]'::jsonb"), comment=_TOPICS),
    Column("leads", JSONB, nullable=False, server_default=text("'{}'::jsonb"), comment=_LEADS),
    Column("nps", JSONB, nullable=False, server_default=text("'{}'::jsonb"), comment=_NPS),
    comment="The one company this service works for.",
)

hours = Table(
    "hours",
    metadata,
    Column("key", Text, primary_key=True),
    Column("week", JSONB, nullable=False, comment='{"mon": "09:00-13:00, 14:00-18:00", ...}'),
    Column("holidays", Text, comment="Country, or country and region, whose public holidays are closed."),
    Column("dates", JSONB, nullable=False, server_default=text("'{}'"), comment='{"2026-12-31": "10:00-15:00", ...}'),
    Column("position", Integer, nullable=False),
)

people = Table(
    "people",
    metadata,
    Column("key", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, CheckConstraint(_ROLE, name="role"), nullable=False),
    Column("hours", Text, ForeignKey("hours.key"), comment="Null: on shift whenever a line is open."),
    Column("time_zone", Text, comment="Null: the company's."),
    Column("calendar", Text, comment="Address of an ICS feed: a secret, for whoever knows it reads the calendar."),
    Column(
        "order", Text, nullable=False, server_default=text("'fixed'"), comment="Of the devices: as written, or learned."
    ),
    Column("ring", Text, nullable=False, server_default=text("'mobile_apart'"), comment="Which devices ring at once."),
    Column("line", Text, comment="The line that they call out as."),
    Column("languages", ARRAY(Text), nullable=False, server_default=_NO_TEXTS),
    Column("skills", ARRAY(Text), nullable=False, server_default=_NO_TEXTS),
    Column("plan", Integer, nullable=False, server_default=text("1"), comment="Share of new work beside others'."),
    Column("leads_most", Integer, comment="More open leads are too many; null: as the policy of leads says."),
    Column("email", Text),
    Column("telegram", Text, comment="The number of their chat with our bot."),
    Column(
        "notify",
        ARRAY(Text),
        nullable=False,
        server_default=text("'{page}'::text[]"),
        comment="By which channels they are told what concerns them.",
    ),
    Column("quiet", Text, comment="A time of each day, never, or null: outside their hours."),
    Column("position", Integer, nullable=False),
    CheckConstraint("\"order\" in ('fixed', 'learned')", name="order"),
    CheckConstraint("ring in ('mobile_apart', 'in_turn', 'together')", name="ring"),
)

devices = Table(
    "devices",
    metadata,
    Column("address", Text, primary_key=True, comment="PJSIP/name, or the E.164 digits of a mobile."),
    Column("person", Text, ForeignKey("people.key", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", Text, CheckConstraint("kind in ('desk', 'soft', 'mobile')", name="kind"), nullable=False),
    Column("number", Text, comment="The internal extension, if it has one."),
    Column("trunk", Text, comment="What a mobile is called through."),
    Column("mobile_seconds", Integer, comment="How long a mobile rings at most; null: the usual time."),
    Column("position", Integer, nullable=False, comment="Keeps each person's own order."),
    CheckConstraint("mobile_seconds between 5 and 60", name="mobile_seconds"),
)

teams = Table(
    "teams",
    metadata,
    Column("key", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("strategy", Text, CheckConstraint(_STRATEGY, name="strategy"), nullable=False),
    Column("hours", Text, ForeignKey("hours.key"), comment="Null: whenever a line is open."),
    Column("time_zone", Text, comment="Null: the company's."),
    Column("wrap_up_seconds", Integer, comment="Null: none."),
    Column("line", Text, comment="The line that its people call out as."),
    Column("position", Integer, nullable=False),
    CheckConstraint("wrap_up_seconds between 0 and 3600", name="wrap_up_seconds"),
)

team_members = Table(
    "team_members",
    metadata,
    Column("team", Text, ForeignKey("teams.key", ondelete="CASCADE"), primary_key=True),
    Column("person", Text, ForeignKey("people.key", ondelete="CASCADE"), primary_key=True, index=True),
    Column("position", Integer, nullable=False),
)

lines = Table(
    "lines",
    metadata,
    Column("number", Text, primary_key=True, comment="E.164 digits without plus, or a short internal number."),
    Column("name", Text, nullable=False),
    Column("trunk", Text),
    Column("team", Text, ForeignKey("teams.key"), nullable=False),
    Column("hours", Text, ForeignKey("hours.key"), comment="Null: open around the clock."),
    Column("time_zone", Text, comment="Null: the company's."),
    Column("region", Text, comment="ISO 3166, of its callers' national numbers; null: the company's."),
    Column("language", Text, comment="Null: the company's."),
    Column("campaign", Text, comment="What advertises this number."),
    Column("ring_seconds", Integer, nullable=False),
    Column("mobile_shows", Text, nullable=False, server_default=text("'line'"), comment="Whose number a mobile shows."),
    Column("fallback", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("wrap_up_seconds", Integer, comment="Null: the team's."),
    Column("emergency", Text, comment="E.164 digits of a number outside that rings when nothing else is left."),
    Column("shows", Text, comment="What calls out show; null: the line's number."),
    Column(
        "callback",
        JSONB(none_as_null=True),
        comment="How missed callers are called back by itself; null: they are not.",
    ),
    Column("ring_seconds_least", Integer, comment="Null: the company's."),
    Column("follow_up", JSONB, nullable=False, server_default=text("'{}'::jsonb"), comment=_FOLLOW_UP),
    Column("masking", JSONB, nullable=False, server_default=text("'{}'::jsonb"), comment=_MASKING),
    Column("retention", JSONB, nullable=False, server_default=text("'{}'::jsonb"), comment=_RETENTION),
    Column("consent", JSONB(none_as_null=True), comment='{"prompt", "refuse"}; null: callers hear nothing of it.'),
    Column("script", JSONB, nullable=False, server_default=text("'[]'::jsonb"), comment=_SCRIPT),
    Column("position", Integer, nullable=False),
    CheckConstraint("ring_seconds between 5 and 300", name="ring_seconds"),
    CheckConstraint("wrap_up_seconds between 0 and 3600", name="wrap_up_seconds"),
    CheckConstraint("mobile_shows in ('line', 'caller')", name="mobile_shows"),
)

blocked_numbers = Table(
    "blocked_numbers",
    metadata,
    Column("number", Text, primary_key=True),
    Column("note", Text, nullable=False, server_default=text("''")),
    Column("position", Integer, nullable=False),
)

allowed_numbers = Table(
    "allowed_numbers",
    metadata,
    Column("number", Text, primary_key=True),
    Column("note", Text, nullable=False, server_default=text("''")),
    Column("position", Integer, nullable=False),
    comment="Callers who are never blocked.",
)

absences = Table(
    "absences",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("person", Text, ForeignKey("people.key", ondelete="CASCADE"), nullable=False),
    Column("starts_at", TIMESTAMP(timezone=True), nullable=False),
    Column("ends_at", TIMESTAMP(timezone=True), nullable=False),
    Column("substitute", Text, ForeignKey("people.key", ondelete="SET NULL"), comment="Who is rung meanwhile."),
    Column("reason", Text, nullable=False, server_default=text("''")),
    Column("set_at", TIMESTAMP(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("starts_at < ends_at", name="lasts"),
    Index("ix_absences_person_ends_at", "person", "ends_at"),
)

statuses = Table(
    "statuses",
    metadata,
    Column("person", Text, ForeignKey("people.key", ondelete="CASCADE"), primary_key=True),
    Column("status", Text, CheckConstraint(_STATUS, name="status"), nullable=False),
    Column("until", TIMESTAMP(timezone=True), comment="Available again from then on; null: until it is set anew."),
    Column("set_at", TIMESTAMP(timezone=True), nullable=False, server_default=func.now()),
    comment="What people said of themselves, or a talk's end said for them; who has no row is available.",
)

calendars = Table(
    "calendars",
    metadata,
    Column("person", Text, ForeignKey("people.key", ondelete="CASCADE"), primary_key=True),
    Column("address_digest", LargeBinary, nullable=False, comment="SHA-256 of the address that this is a copy of."),
    Column("tried_at", TIMESTAMP(timezone=True), nullable=False),
    Column("failure", Text, comment="Why the last try failed, as a key; null: it did not."),
    Column("fetched_at", TIMESTAMP(timezone=True), comment="When the copy was last true; null: there is none yet."),
    Column("body", LargeBinary, comment="The last good copy."),
    Column("etag", Text),
    Column("blocks", JSONB, nullable=False, server_default=text("'[]'"), comment="[[from, to, busy or away], ...]"),
    Column("blocks_until", TIMESTAMP(timezone=True), comment="Up to when the copy's events were worked out."),
    comment="The last good copy of each person's calendar feed, and the times it makes them busy.",
)

vip_numbers = Table(
    "vip_numbers",
    metadata,
    Column("number", Text, primary_key=True),
    Column("note", Text, nullable=False, server_default=text("''")),
    Column("position", Integer, nullable=False),
)

rule_versions = Table(
    "rule_versions",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("at", TIMESTAMP(timezone=True), nullable=False, server_default=func.now()),
    Column("rules", JSONB, nullable=False, comment="The list as a directory file writes it, in its order."),
    comment="Append-only: every set of routing rules there ever was; the last one is in force.",
)

directory_versions = Table(
    "directory_versions",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("at", TIMESTAMP(timezone=True), nullable=False, server_default=func.now()),
    Column("by", Text, nullable=False, comment="A login, command line, or switchhook for what changed besides."),
    Column("changes", ARRAY(Text), nullable=False, comment="What it changed of the version before, line by line."),
    Column("file", JSON, nullable=False, comment="The whole directory as its file holds it, in its order."),
    comment="Every state that the directory was brought to; an erasure takes numbers out of them.",
)

do_not_call = Table(
    "do_not_call",
    metadata,
    Column("number", Text, primary_key=True),
    Column("note", Text, nullable=False, server_default=text("''")),
    Column("position", Integer, nullable=False),
    comment="Numbers that nobody calls, by hand or by itself.",
)

users = Table(
    "users",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("login", Text, nullable=False),
    Column("password_hash", Text, comment="Null: no password login, tokens only."),
    Column("role", Text, CheckConstraint(_ROLE, name="role"), nullable=False),
    Column("person_key", Text, ForeignKey("people.key", ondelete="SET NULL", onupdate="CASCADE")),
    Column("language", Text),
    Column("created_at", TIMESTAMP(timezone=True), nullable=False, server_default=func.now()),
    Column("disabled_at", TIMESTAMP(timezone=True)),
    Column(
        "cards",
        Text,
        CheckConstraint("cards in ('ring', 'answer', 'never')", name="cards"),
        nullable=False,
        server_default=text("'ring'"),
        comment="When the card of a call is shown: as soon as the phone rings, when it was answered, or never.",
    ),
    Column("oidc_issuer", Text, comment="By which provider they logged in; from then on only as that subject."),
    Column("oidc_subject", Text, comment="Who they are there, in the provider's own words."),
    UniqueConstraint("login"),
    UniqueConstraint("oidc_issuer", "oidc_subject"),
    CheckConstraint("(oidc_issuer is null) = (oidc_subject is null)", name="oidc"),
    comment="Who may log in; person_key ties a login to a person of the directory.",
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", LargeBinary, primary_key=True, comment="SHA-256 of the cookie, which itself is never stored."),
    Column("id", BigInteger, Identity(), nullable=False, unique=True, comment="By what a page names it."),
    Column("user_id", BigInteger, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("user_agent", Text),
    Column("created_at", TIMESTAMP(timezone=True), nullable=False, server_default=func.now()),
    Column("seen_at", TIMESTAMP(timezone=True), nullable=False, server_default=func.now()),
    Column("expires_at", TIMESTAMP(timezone=True), nullable=False, index=True),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("user_id", BigInteger, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, comment="SHA-256 of the token; shown once, never stored."),
    Column("scope", Text, CheckConstraint(_SCOPE, name="scope"), nullable=False, server_default=text("'all'")),
    Column("created_at", TIMESTAMP(timezone=True), nullable=False, server_default=func.now()),
    Column("used_at", TIMESTAMP(timezone=True)),
    Column("expires_at", TIMESTAMP(timezone=True)),
    Column("revoked_at", TIMESTAMP(timezone=True)),
    UniqueConstraint("digest"),
    comment="API tokens; they act with their user's role, those of the scope read by GET alone.",
)

password_links = Table(
    "password_links",
    metadata,
    Column("digest", LargeBinary, primary_key=True, comment="SHA-256 of what the address holds; shown once."),
    Column(
        "user_id",
        BigInteger,
        ForeignKey("users.id", ondelete="CASCADE"),
        nullable=False,
        unique=True,
        comment="Whose password it sets; a newer link takes its place.",
    ),
    Column("made_at", TIMESTAMP(timezone=True), nullable=False, server_default=func.now()),
    Column("expires_at", TIMESTAMP(timezone=True), nullable=False),
    comment="Addresses at which a login chooses its password without the old one, once.",
)

keys = Table(
    "keys",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("purpose", Text, CheckConstraint("purpose in ('links', 'wishes')", name="purpose"), nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("made_at", TIMESTAMP(timezone=True), nullable=False, server_default=func.now()),
    Index("ix_keys_purpose_id", "purpose", "id"),
    comment="What signs links and hides numbers; the newest of a purpose signs, an older one still proves.",
)

"""The rows of the lead book: parties, the numbers they call from, their leads with all that happened to them."""

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    Date,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR, UUID

from crm_sync import connection_tables  # noqa: F401 - their rows are of this room too
from crm_sync.book.lifecycle import OPEN, OUTCOMES, REVIVED, STAGES
from crm_sync.ledger import tables as ledger_tables  # noqa: F401 - their rows are of this room too
from directory.tables import metadata

_MOMENT = TIMESTAMP(timezone=True)


def _one_of(column: str, values: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} in ({listed})"


FOLDED_NAME = "translate(lower(name), 'ё', 'е')"
"""A party's name as it is searched for, in SQL, on the table of parties."""

FIELDS_WORDS = "to_tsvector('russian'::regconfig, fields)"
"""The words of a lead's fields, in SQL, on the table of leads."""

parties = Table(
    "parties",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, comment="As the trunk told it, or as a person wrote it; null: unknown."),
    Column("do_not_call_at", _MOMENT, comment="Since when they do not want to be called; null: they may be."),
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
    Column("email", Text, comment="As a person wrote it."),
    Column(
        "merged_into",
        BigInteger,
        ForeignKey("parties.id", ondelete="CASCADE"),
        index=True,
        comment="The party that this one turned out to be; its calls stay its own. Null: none.",
    ),
    Index(
        "ix_parties_name_trgm",
        literal_column(f"({FOLDED_NAME})").label("folded"),
        postgresql_using="gin",
        postgresql_ops={"folded": "gin_trgm_ops"},
    ),
)

party_merges = Table(
    "party_merges",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("kept", BigInteger, ForeignKey("parties.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("gone", BigInteger, ForeignKey("parties.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("at", _MOMENT, nullable=False),
    Column("by", Text, nullable=False, comment="Key of a person, or switchhook."),
    Column(
        "moved", JSONB, nullable=False, comment='{"numbers", "leads", "notes", "tasks", "parties"}: to be given back.'
    ),
    Column("undone_at", _MOMENT),
    Column("undone_by", Text),
    comment="Every time two parties turned out to be one, and when that was taken back.",
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
    Index("ix_party_numbers_number_trgm", "number", postgresql_using="gin", postgresql_ops={"number": "gin_trgm_ops"}),
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
    Column("deadline_at", _MOMENT, comment="To go on to the next stage or step by then."),
    Column("closed_at", _MOMENT, comment="Since when nobody works on it; null: it is open."),
    Column("created_by_call", UUID(as_uuid=True), unique=True),
    Column("step", Text, comment="Of the house's funnel, in work; null: before its first."),
    Column(
        "stage_at",
        _MOMENT,
        nullable=False,
        server_default=func.now(),
        comment="Since when it is at this stage and step.",
    ),
    Column("reason", Text, comment="Why it was lost or disqualified."),
    Column("duplicate_of", BigInteger, ForeignKey("leads.id", ondelete="SET NULL")),
    Column(
        "fields", JSONB, nullable=False, server_default=text("'{}'::jsonb"), comment="The house's own: name to text."
    ),
    Column("contact_at", _MOMENT, comment="Of the last talk with the party, either way."),
    Column("chain", Text, comment="The revival chain that it goes through."),
    Column("chain_step", SmallInteger, comment="How many steps of it were taken."),
    Column("chain_at", _MOMENT, comment="When the next step is due."),
    Index("ix_leads_one_open_each", "party_id", unique=True, postgresql_where=text(_one_of("stage", OPEN))),
    Index("ix_leads_stage_id", "stage", "id"),
    Index("ix_leads_stage_stage_at", "stage", "stage_at"),
    Index("ix_leads_open_stage_at", "stage_at", postgresql_where=text(_one_of("stage", OPEN))),
    Index(
        "ix_leads_open_last_talk",
        literal_column("coalesce(contact_at, opened_at)"),
        postgresql_where=text(_one_of("stage", OPEN)),
    ),
    Index("ix_leads_board", "stage", "step", "deadline_at", "id", postgresql_where=text(_one_of("stage", OPEN))),
    Index("ix_leads_owner_id", "owner", "id"),
    Index("ix_leads_party_id", "party_id"),
    Index("ix_leads_open_deadline_at_id", "deadline_at", "id", postgresql_where=text(_one_of("stage", OPEN))),
    Index(
        "ix_leads_open_owner_deadline_at_id",
        "owner",
        "deadline_at",
        "id",
        postgresql_where=text(_one_of("stage", OPEN)),
    ),
    Index(
        "ix_leads_counted",
        *("stage", "owner", "source_line"),
        # By all that pages count leads by, without a look at the rows.
        postgresql_include=["step", "stage_at", "closed_at"],
    ),
    Index("ix_leads_open_until", literal_column("coalesce(closed_at, 'infinity'::timestamptz)")),
    Index("ix_leads_chain_at", "chain_at", postgresql_where=text("chain_at is not null")),
    Index("ix_leads_fields_words", literal_column(f"({FIELDS_WORDS})"), postgresql_using="gin"),
)

lead_events = Table(
    "lead_events",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("lead_id", BigInteger, ForeignKey("leads.id", ondelete="CASCADE"), nullable=False),
    Column("at", _MOMENT, nullable=False),
    Column("by", Text, nullable=False, comment="Key of a person, or switchhook."),
    Column("kind", Text, nullable=False, comment="crm_sync.book.leads.EVENT_KINDS."),
    Column("before", Text, comment="A stage with its step (in_work/meeting), a person, a time."),
    Column("after", Text),
    Column(
        "reason",
        Text,
        comment="A reason of the policy's, or the lead rule that decided, and the owner rule: missed/round_robin.",
    ),
    Column("call_id", UUID(as_uuid=True), comment="The call that brought it about."),
    Column("deadline_at", _MOMENT, comment="Since an opening, a move or a new deadline: to go on by then."),
    Index("ix_lead_events_lead_id_id", "lead_id", "id"),
    Index("ix_lead_events_told_at", "at", postgresql_where=text("kind in ('opened', 'stage', 'owner', 'deadline')")),
    Index("ix_lead_events_revived", "id", postgresql_where=text(REVIVED)),
    Index("ix_lead_events_revival", "reason", postgresql_where=text("kind in ('revival', 'message')")),
    Index(
        "ix_lead_events_one_owner_a_call",
        "call_id",
        unique=True,
        postgresql_where=text("kind = 'owner' and by = 'switchhook'"),
    ),
    comment="Every change of a lead, append-only.",
)

notes = Table(
    "notes",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("party_id", BigInteger, ForeignKey("parties.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("lead_id", BigInteger, ForeignKey("leads.id", ondelete="CASCADE"), index=True),
    Column("call_id", UUID(as_uuid=True)),
    Column("at", _MOMENT, nullable=False),
    Column("by", Text, nullable=False, comment="Key of a person, or switchhook."),
    Column("text", Text, nullable=False),
    # Kept, for to read the words of a phrase anew takes longer than all else of a search.
    Column("search", TSVECTOR, Computed("to_tsvector('russian'::regconfig, text)", persisted=True)),
    Index("ix_notes_search", "search", postgresql_using="gin"),
    comment="What people wrote of a party, a lead or a call.",
)

tasks = Table(
    "tasks",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("party_id", BigInteger, ForeignKey("parties.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("lead_id", BigInteger, ForeignKey("leads.id", ondelete="CASCADE"), index=True),
    Column("call_id", UUID(as_uuid=True)),
    Column("text", Text, nullable=False),
    Column("assignee", Text, comment="Key of a person; null: nobody yet."),
    Column("due_at", _MOMENT),
    Column("made_at", _MOMENT, nullable=False),
    Column("made_by", Text, nullable=False, comment="Key of a person, or switchhook."),
    Column(
        "made_because", Text, comment="The rule or the revival step that owed it; one of a kind for a call or a step."
    ),
    Column("done_at", _MOMENT),
    Column("done_by", Text),
    Index("ix_tasks_open", "assignee", "due_at", postgresql_where=text("done_at is null")),
    Index("ix_tasks_once", "lead_id", "made_because", unique=True),
    comment="What somebody shall do for a party; to call back whom nobody talked with is a follow-up.",
)

desk_cards = Table(
    "desk_cards",
    metadata,
    Column("id", BigInteger, Identity(), nullable=False, unique=True),
    Column("call_id", UUID(as_uuid=True), ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("person", Text, primary_key=True, comment="Key of the person whose card it is."),
    Column("note", Text, nullable=False, server_default=text("''"), comment="As it is typed."),
    Column("noted_at", _MOMENT),
    Column(
        "outcome",
        Text,
        CheckConstraint(_one_of("outcome", OUTCOMES), name="outcome"),
        comment="What they told of the call; null: nothing yet.",
    ),
    Column("duplicate_of", BigInteger, comment="Of which lead its lead is a duplicate."),
    Column("next_step", Text, comment="What is to be done next; null: nothing."),
    Column("next_at", _MOMENT, comment="By when."),
    Column("told_at", _MOMENT),
    Column("told_by", Text, comment="Key of a person, or a login."),
    Column("closed_at", _MOMENT, comment="Since when the card is off the desk: told, or dismissed."),
    Column("booked_at", _MOMENT, comment="When note, outcome and next step went to the call's lead; null: not yet."),
    CheckConstraint("(told_at is null) = (told_by is null)", name="told_by_somebody"),
    Index("ix_desk_cards_told_at", "told_at", postgresql_where=text("told_at is not null")),
    comment="What people write and tell of a call on its card; a card without a row is untouched.",
)

attention_days = Table(
    "attention_days",
    metadata,
    Column("day", Date, primary_key=True, comment="Of the company's time zone."),
    Column("overdue", Integer, nullable=False, server_default=text("0")),
    Column("forgotten", Integer, nullable=False, server_default=text("0")),
    Column("long", Integer, nullable=False, server_default=text("0"), comment="Longer at their stage than its target."),
    Column("overloaded", Integer, nullable=False, server_default=text("0"), comment="People, not leads."),
    Column("made_at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    comment="How many leads needed attention each day, when the heads were told.",
)

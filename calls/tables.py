"""The rows of what happened: events are the truth, calls and legs are folded from them."""

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from calls.follow_up import ACTIONS, ORIGINS
from calls.incidents import KINDS, OUTCOMES, WHATS
from directory.tables import metadata

_MOMENT = TIMESTAMP(timezone=True)
_NO_TEXTS = text("'{}'::text[]")


def _one_of(column: str, values: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} in ({listed})"


_SETTLED = "settled_at is not null and joined_into is null"


def _pieces_of(column: str, direction: str) -> Index:
    """An index of pieces of the number outside. Before it is settled each event writes a call's row anew."""
    return Index(
        f"ix_calls_{column}_trgm",
        column,
        postgresql_using="gin",
        postgresql_ops={column: "gin_trgm_ops"},
        postgresql_with={"fastupdate": "off"},
        postgresql_where=text(f"direction = '{direction}' and {_SETTLED}"),
    )


calls = Table(
    "calls",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True, server_default=func.gen_random_uuid()),
    Column("pbx", Text, nullable=False),
    Column("linkedids", ARRAY(Text), nullable=False, server_default=_NO_TEXTS),
    Column("joined_into", UUID(as_uuid=True), ForeignKey("calls.id")),
    Column("state", JSONB, nullable=False),
    Column("direction", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("line", Text),
    Column("caller_number", Text),
    Column("caller_name", Text),
    Column("dialed", Text, nullable=False, server_default=text("''")),
    Column("started_at", _MOMENT),
    Column("answered_at", _MOMENT),
    Column("ended_at", _MOMENT),
    Column("settled_at", _MOMENT),
    Column("missed_cause", Text),
    Column(
        "charged_to",
        ARRAY(Text),
        nullable=False,
        server_default=_NO_TEXTS,
        comment="Keys of the people to blame for a missed call.",
    ),
    Column("answered_by", ARRAY(Text), nullable=False, server_default=_NO_TEXTS),
    Column("person", Text, comment="Key of who of ours talked on it; of a call out, who called."),
    Column("talk_seconds", Float, nullable=False, server_default=text("0")),
    Column("wait_seconds", Float, nullable=False, server_default=text("0")),
    Column("hold_seconds", Float, nullable=False, server_default=text("0")),
    Column("party_id", BigInteger),
    Column("lead_id", BigInteger),
    Column("recovered", Boolean, nullable=False, server_default=text("false")),
    Column("erased", Boolean, nullable=False, server_default=text("false"), comment="Who it was with is forgotten."),
    Column("updated_at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Index("ix_calls_started_at_id", "started_at", "id", postgresql_where=text("joined_into is null")),
    Index("ix_calls_caller_number_started_at", "caller_number", "started_at"),
    Index("ix_calls_person_started_at", "person", "started_at"),
    Index("ix_calls_line_started_at", "line", "started_at", postgresql_where=text("joined_into is null")),
    Index(
        "ix_calls_missed_cause_started_at",
        "missed_cause",
        "started_at",
        postgresql_where=text("missed_cause is not null and joined_into is null"),
    ),
    Index(
        "ix_calls_failed",
        "status",
        "started_at",
        # What the shares of causes are counted by, without a look at the rows.
        postgresql_include=["missed_cause", "line"],
        postgresql_where=text("status in ('missed', 'voicemail', 'failed') and joined_into is null"),
    ),
    Index("ix_calls_party_id_started_at", "party_id", "started_at", postgresql_where=text("party_id is not null")),
    Index("ix_calls_lead_id", "lead_id", postgresql_where=text("lead_id is not null")),
    _pieces_of("caller_number", "inbound"),
    _pieces_of("dialed", "outbound"),
    Index("ix_calls_joined_into", "joined_into", postgresql_where=text("joined_into is not null")),
    Index("ix_calls_open", "updated_at", postgresql_where=text("settled_at is null and joined_into is null")),
)

legs = Table(
    "legs",
    metadata,
    Column("call_id", UUID(as_uuid=True), ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("device", Text, primary_key=True),
    Column("number", Text, nullable=False, server_default=text("''")),
    Column("person", Text),
    Column("outcome", Text),
    Column("rang", Boolean, nullable=False),
    Column("started_at", _MOMENT),
    Column("rang_at", _MOMENT),
    Column("answered_at", _MOMENT),
    Column("ended_at", _MOMENT),
    Column("hangup_cause", Integer),
    Index("ix_legs_person_started_at", "person", "started_at"),
)

call_names = Table(
    "call_names",
    metadata,
    Column("pbx", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("call_id", UUID(as_uuid=True), ForeignKey("calls.id", ondelete="CASCADE"), nullable=False, index=True),
)

call_events = Table(
    "call_events",
    metadata,
    Column("at", _MOMENT, primary_key=True, comment="The PBX's time; the time of receipt for an untimed event."),
    Column("digest", LargeBinary, primary_key=True, comment="SHA-256 of the event: told twice is kept once."),
    Column("call_id", UUID(as_uuid=True), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("body", JSONB, nullable=False),
    Column("received_at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Index("ix_call_events_recording_refused", "at", postgresql_where=text("kind = 'RecordingRefused'")),
    postgresql_partition_by="RANGE (at)",
    comment="Append-only, partitioned by month: the truth that everything else is folded from.",
)

follow_ups = Table(
    "follow_ups",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("number", Text, nullable=False, comment="Whom to call back: E.164 digits where that can be told."),
    Column("line", Text, nullable=False, server_default=text("''"), comment="Empty: a line that nobody knows."),
    Column("origin", Text, CheckConstraint(_one_of("origin", ORIGINS), name="origin"), nullable=False),
    Column("cause", Text, comment="The last call's missed cause; null: it was not missed."),
    Column(
        "call_id",
        UUID(as_uuid=True),
        ForeignKey("calls.id", ondelete="CASCADE"),
        nullable=False,
        comment="The first call.",
    ),
    Column("attempt_count", Integer, nullable=False, comment="Calls that nobody talked on, this promise's all."),
    Column("priority", Integer, nullable=False, comment="Greater is sooner."),
    Column("owner", Text, comment="Key of a person; null: nobody."),
    Column("owner_by", Text, comment="What made them the owner: a key of the policy, or hand."),
    Column("opened_at", _MOMENT, nullable=False, comment="When the first call ended, by our clock."),
    Column("last_missed_at", _MOMENT, nullable=False, comment="When the last of the calls ended, by our clock."),
    Column("due_at", _MOMENT, comment="In working time; null: these hours never come."),
    Column("escalated_at", _MOMENT, comment="Since when it is overdue and the head's business."),
    Column("escalated_to", Text, comment="Key of the head; null: there is none."),
    Column("closed_at", _MOMENT, comment="When they talked, or a person closed it."),
    Column("closed_by", Text, comment="talk, answered_after_all, or hand."),
    Column(
        "closed_by_call",
        UUID(as_uuid=True),
        ForeignKey("calls.id", ondelete="SET NULL"),
        comment="The talk that closed it.",
    ),
    Index("ix_follow_ups_one_open_each", "number", "line", unique=True, postgresql_where=text("closed_at is null")),
    Index("ix_follow_ups_open", "due_at", postgresql_where=text("closed_at is null")),
    Index("ix_follow_ups_opened_at_id", "opened_at", "id"),
    Index("ix_follow_ups_closed_at", "closed_at"),
    Index("ix_follow_ups_owner_id", "owner", "id"),
    Index("ix_follow_ups_call_id", "call_id"),
    comment="Promises to call back: one open a caller and line.",
)

follow_up_claims = Table(
    "follow_up_claims",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("follow_up_id", BigInteger, ForeignKey("follow_ups.id", ondelete="CASCADE"), nullable=False),
    Column("who", Text, nullable=False, comment="Key of a person, else a login."),
    Column("at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("until", _MOMENT, nullable=False, comment="By itself it ends then."),
    Column("ended_at", _MOMENT, comment="When they let go, or somebody else took over; null: not yet."),
    Index("ix_follow_up_claims_one_each", "follow_up_id", unique=True, postgresql_where=text("ended_at is null")),
    Index("ix_follow_up_claims_follow_up_id", "follow_up_id"),
    comment="Who is on a promise to call back just now, and who was; whose promise it is stays as it was.",
)

follow_up_calls = Table(
    "follow_up_calls",
    metadata,
    Column("call_id", UUID(as_uuid=True), ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("follow_up_id", BigInteger, ForeignKey("follow_ups.id", ondelete="CASCADE"), nullable=False, index=True),
    comment="The calls of a promise; a call is in one at most, so it counts once however often its job runs.",
)

follow_up_actions = Table(
    "follow_up_actions",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("follow_up_id", BigInteger, ForeignKey("follow_ups.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("who", Text, nullable=False, comment="A login, a person's key, or switchhook."),
    Column("what", Text, CheckConstraint(_one_of("what", ACTIONS), name="what"), nullable=False),
    Column("why", Text, nullable=False, comment="A key of the service, or a person's own words."),
    Column("call_id", UUID(as_uuid=True), ForeignKey("calls.id", ondelete="SET NULL"), index=True),
    comment="Append-only: who did what to a follow-up, when and why.",
)

help_requests = Table(
    "help_requests",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("call_id", UUID(as_uuid=True), ForeignKey("calls.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("person", Text, nullable=False, comment="Key of who talks and asks."),
    Column("asked_at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("taken_by", Text, comment="Key of the head who came, or their login; null: nobody yet."),
    Column("taken_at", _MOMENT),
    Column("withdrawn_at", _MOMENT, comment="They need no help any more."),
    CheckConstraint("(taken_at is null) = (taken_by is null)", name="taken_by_somebody"),
    Index(
        "ix_help_requests_one_open_each",
        "call_id",
        "person",
        unique=True,
        postgresql_where=text("withdrawn_at is null"),
    ),
    Index("ix_help_requests_open", "asked_at", postgresql_where=text("taken_at is null and withdrawn_at is null")),
    comment="Who asked the head for help in a call that goes on; over with the call.",
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("kind", Text, CheckConstraint(_one_of("kind", tuple(KINDS)), name="kind"), nullable=False),
    Column("subject", Text, nullable=False, server_default=text("''"), comment="Which PBX, trunk, CRM, …"),
    Column("reason", Text, nullable=False, server_default=text("''"), comment="Why, as far as it is known."),
    Column("found_count", Integer, nullable=False, server_default=text("0"), comment="How many, of what is counted."),
    Column("grave", Boolean, nullable=False, comment="Calls or recordings are being lost, or nobody is told."),
    Column("started_at", _MOMENT, nullable=False, comment="By our clock, as all times here."),
    Column("seen_at", _MOMENT, nullable=False, comment="When the fault was seen last."),
    Column("ended_at", _MOMENT, comment="When it was seen last, once nobody saw it for a minute; null: not yet."),
    Column("calls_lost", Integer, nullable=False, server_default=text("0")),
    Column("calls_saved", Integer, nullable=False, server_default=text("0")),
    Index("ix_incidents_one_open_each", "kind", "subject", unique=True, postgresql_where=text("ended_at is null")),
    Index("ix_incidents_started_at_id", "started_at", "id"),
    Index("ix_incidents_ended_at", "ended_at"),
    comment="Faults of telephony and of what it works with, from begin to end: one open a kind and subject.",
)

incident_events = Table(
    "incident_events",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("incident_id", BigInteger, ForeignKey("incidents.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("what", Text, CheckConstraint(_one_of("what", WHATS), name="what"), nullable=False),
    Column("at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    comment="Append-only: when an incident was opened, opened again and closed.",
)

incident_calls = Table(
    "incident_calls",
    metadata,
    Column("incident_id", BigInteger, ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True),
    Column("call_id", UUID(as_uuid=True), ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("outcome", Text, CheckConstraint(_one_of("outcome", OUTCOMES), name="outcome"), nullable=False),
    comment="The calls that an incident cost, and those that were had all the same.",
)

signs_of_life = Table(
    "signs_of_life",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="only_row"), primary_key=True, server_default=text("1")),
    Column("at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("ended", Boolean, nullable=False, server_default=false(), comment="It was ended, and did not break."),
    comment="When a telephony role looked last whether all is well; while it is old, no service is there.",
)

job_failures = Table(
    "job_failures",
    metadata,
    Column("queue", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    comment="How many jobs failed for good, since ever, counted by a trigger: the jobs themselves are forgotten.",
)

"""The rows of this room: what each PBX last said about its devices and its clock, and what is asked of it."""

from typing import Final

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Interval,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from directory.tables import metadata
from telephony.chan_spy import MODES

STATES: Final = ("not_inuse", "inuse", "ringing", "busy", "onhold", "unavailable", "unknown", "dnd")

device_states = Table(
    "device_states",
    metadata,
    Column("pbx", Text, nullable=False, comment="Name of the PBX in the settings."),
    Column(
        "device",
        Text,
        nullable=False,
        comment="TECH/name, as the directory writes it, or a switch such as Custom:DND101.",
    ),
    Column("state", Text, CheckConstraint(f"state in {STATES!r}", name="state"), nullable=False),
    Column("reachable", Boolean, nullable=False, comment="A call sent there has somewhere to ring."),
    Column("changed_at", TIMESTAMP(timezone=True), nullable=False, comment="The PBX's time."),
    PrimaryKeyConstraint("pbx", "device"),
    comment="Asked in full at every connect, then kept by events; losing it costs one question.",
)

device_reachability = Table(
    "device_reachability",
    metadata,
    Column("pbx", Text, nullable=False, comment="Name of the PBX in the settings."),
    Column("device", Text, nullable=False, comment="A phone or a trunk: TECH/name."),
    Column("at", TIMESTAMP(timezone=True), nullable=False, comment="The PBX's time."),
    Column("reachable", Boolean, nullable=False),
    PrimaryKeyConstraint("pbx", "device", "at"),
    comment="When phones and trunks came and went; kept so that a missed call is not charged to who had no phone.",
)

pbx_clocks = Table(
    "pbx_clocks",
    metadata,
    Column("pbx", Text, primary_key=True, comment="Name of the PBX in the settings."),
    Column("ahead", Interval, nullable=False, comment="The PBX's clock minus ours."),
    Column("measured_at", TIMESTAMP(timezone=True), nullable=False, server_default=func.now(), comment="By our clock."),
    comment="Measured at every connect and each minute, for whoever counts how long ago a time of the PBX was.",
)

CONTROLS: Final = ("hang_up", "hold", "resume", "transfer", "consult", "connect")
OUTCOMES: Final = (
    *("done", "over", "too_late", "nobody_free", "no_hold", "refused_by_pbx", "not_yet"),
    *("no_consult", "on_hold", "consulting", "not_answered", "crowd"),
)
"""What telephony.controls says of each."""

call_controls = Table(
    "call_controls",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True, server_default=func.gen_random_uuid()),
    Column("call_id", UUID(as_uuid=True), ForeignKey("calls.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("what", Text, CheckConstraint(f"what in {CONTROLS!r}", name="what"), nullable=False),
    Column("person", Text, nullable=False, comment="Key of the person whose device it is about."),
    Column("colleague", Text, comment="Of a transfer or a consultation: key of the person it is with."),
    Column(
        "number", Text, comment="Of a transfer or a consultation: the number outside; forgotten when it is settled."
    ),
    Column("asked_by", Text, nullable=False, comment="Login."),
    Column("asked_at", TIMESTAMP(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("started_at", TIMESTAMP(timezone=True), comment="When the PBX was to be asked; it is asked once."),
    Column("settled_at", TIMESTAMP(timezone=True), comment="Null: whoever attends the PBX has not done it yet."),
    Column(
        "outcome",
        Text,
        CheckConstraint(f"outcome in {OUTCOMES!r}", name="outcome"),
        comment="What became of it; null with settled_at.",
    ),
    CheckConstraint("(settled_at is null) = (outcome is null)", name="settled_with_outcome"),
    Index("ix_call_controls_open", "asked_at", postgresql_where=text("settled_at is null")),
    comment="Who wanted a call held, transferred or hung up from the page; what was done is told by the PBX itself.",
)

OVERHEARING: Final = ("wanted", "placed", "heard", "over", "failed")
"""wanted, then placed (the PBX was told to call the telephone), heard (it was answered), and over; or failed."""

UNDER_WAY: Final = ("wanted", "placed", "heard")

overhearings = Table(
    "overhearings",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True, server_default=func.gen_random_uuid()),
    Column(
        "call_id",
        UUID(as_uuid=True),
        ForeignKey("calls.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
        comment="The call that is overheard.",
    ),
    Column("person", Text, nullable=False, comment="Key of who overhears, on a telephone of theirs."),
    Column("heard", Text, nullable=False, comment="Key of the colleague whose telephone is heard."),
    Column("mode", Text, CheckConstraint(f"mode in {MODES!r}", name="mode"), nullable=False),
    Column("asked_by", Text, nullable=False, comment="Login."),
    Column("asked_at", TIMESTAMP(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column(
        "state",
        Text,
        CheckConstraint(f"state in {OVERHEARING!r}", name="state"),
        nullable=False,
        server_default=text("'wanted'"),
    ),
    Column("reason", Text, comment="Key of why it failed."),
    Column("device", Text, comment="The telephone that was called."),
    Column("channel", Text, comment="Uniqueid of its channel, which is no call's."),
    Column("began_at", TIMESTAMP(timezone=True), comment="Since when it is heard, by our clock."),
    Column("ended_at", TIMESTAMP(timezone=True), comment="Until when."),
    Index("ix_overhearings_person_asked_at", "person", "asked_at"),
    Index("ix_overhearings_under_way", "state", postgresql_where=text(f"state in {UNDER_WAY!r}")),
    comment="Append-only but for its state: who heard a call while it went on, since when and how.",
)

synthetic_calls = Table(
    "synthetic_calls",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True, server_default=func.gen_random_uuid()),
    Column("pbx", Text, nullable=False, comment="Name of the PBX in the settings."),
    Column("line", Text, nullable=False, comment="Which line is called."),
    Column("language", Text, nullable=False, comment="What is said: ru or en."),
    Column("asked_at", TIMESTAMP(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("began_at", TIMESTAMP(timezone=True), comment="When the PBX was asked for it; null: not yet."),
    Column("ended_at", TIMESTAMP(timezone=True), comment="When the last step was done, or one was not in time."),
    Column("result", Text, comment="ok, or the step that failed; null: it goes on."),
    Column("why", Text, nullable=False, server_default=text("''"), comment="Why it failed, in words."),
    Column(
        "steps",
        JSONB,
        nullable=False,
        server_default=text("'{}'::jsonb"),
        comment="Steps that were done, each with seconds since it began.",
    ),
    Column("call_id", UUID(as_uuid=True), comment="The call, as long as it is kept."),
    CheckConstraint("(ended_at is null) = (result is null)", name="ended"),
    Index("ix_synthetic_calls_asked_at", "asked_at"),
    Index("ix_synthetic_calls_open", "pbx", postgresql_where=text("ended_at is null")),
    comment="Calls that the service makes to see that everything works.",
)

synthetic_counts = Table(
    "synthetic_counts",
    metadata,
    Column("result", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    comment="How many synthetic calls came to what, since ever: the calls themselves are forgotten.",
)

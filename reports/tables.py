"""The rows of reports: what was counted on each day, which days are to be counted anew, what a talk's words told."""

from __future__ import annotations

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import UUID

from directory.tables import metadata
from reports import nps_tables, plan_tables  # noqa: F401 - their rows are of this room too

_MOMENT = TIMESTAMP(timezone=True)

report_facts = Table(
    "report_facts",
    metadata,
    Column("day", Date, primary_key=True, comment="Of the company's time zone."),
    Column("count", Text, primary_key=True, comment="Its key in reports.registry."),
    Column("team", Text, primary_key=True, comment="Empty, as all that follow: there is none."),
    Column("line", Text, primary_key=True),
    Column("person", Text, primary_key=True),
    Column("detail", Text, primary_key=True),
    Column("value", Float, nullable=False),
    comment="What was counted on a day, by whose it is; a day is written whole.",
)

report_hours = Table(
    "report_hours",
    metadata,
    Column("day", Date, primary_key=True, comment="Of the company's time zone."),
    Column("count", Text, primary_key=True, comment="Its key in reports.registry."),
    Column("team", Text, primary_key=True, comment="Empty, as the line: there is none."),
    Column("line", Text, primary_key=True),
    Column("hour", SmallInteger, CheckConstraint("hour between 0 and 23", name="hour"), primary_key=True),
    Column("value", Float, nullable=False),
    comment="The same by the hour, of counts of which something is told by it.",
)

report_days = Table(
    "report_days",
    metadata,
    Column("day", Date, primary_key=True, comment="Of the company's time zone."),
    Column("built_at", _MOMENT, comment="As of when its facts are; null: never counted."),
    Column("ground", Text, comment="Digest of what its facts rest on besides what happened; null: never counted."),
    Column("waiting", Boolean, nullable=False, server_default=false(), comment="It is to be counted anew."),
    Index("ix_report_facts_waiting", "day", postgresql_where=text("waiting")),
    comment="Which days were counted, and which are to be.",
)

report_marks = Table(
    "report_marks",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("moment", _MOMENT, nullable=False, comment="Of what changed, by our clock: its day is to be counted anew."),
    Column("onward", Boolean, nullable=False, comment="Also the days since: what stood at their end changed."),
    comment="What changed, told by triggers of the tables that are counted; taken when its days are set to wait.",
)

report_talks = Table(
    "report_talks",
    metadata,
    Column("call_id", UUID(as_uuid=True), ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("speech_seconds", Float, nullable=False, comment="Of both sides."),
    Column("staff_seconds", Float, nullable=False),
    Column("interruption_count", Integer, nullable=False, comment="By staff."),
    Column("due_count", Integer, nullable=False, comment="Steps of the script as it was."),
    Column("said_count", Integer, nullable=False, comment="Of them, said."),
    comment="What a talk's words told, in numbers: kept by a trigger of talk_facts, and longer than the words.",
)

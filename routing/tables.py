"""The rows of this room: what each device answers by the hour of the week, and the owners that a CRM told last."""

from typing import Final

from sqlalchemy import TIMESTAMP, CheckConstraint, Column, Float, PrimaryKeyConstraint, SmallInteger, Table, Text

from directory.tables import metadata

WEEK_HOURS: Final = 168

device_answers = Table(
    "device_answers",
    metadata,
    Column("device", Text, nullable=False, comment="As the directory writes it."),
    Column("hour", SmallInteger, nullable=False, comment="Of its person's week: 0 is Monday, midnight to one."),
    Column("rang", Float, nullable=False, comment="Rings, each by the weight of its time (routing.learned)."),
    Column("answered", Float, nullable=False, comment="Those of them that were answered."),
    PrimaryKeyConstraint("device", "hour"),
    CheckConstraint(f"hour between 0 and {WEEK_HOURS - 1}", name="hour"),
    CheckConstraint("answered >= 0 and rang >= answered", name="shares"),
    comment="Learned from the legs of settled calls; `switchhook rebuild` learns it anew.",
)

owner_copies = Table(
    "owner_copies",
    metadata,
    Column("number", Text, primary_key=True, comment="E.164 digits without plus."),
    Column("owner", Text, comment="Key of a person; null: the CRM said that nobody owns it."),
    Column("told_at", TIMESTAMP(timezone=True), nullable=False, comment="When the CRM said so."),
    comment="What a CRM said last, for the calls it does not answer in time for; losing it costs one look-up each.",
)

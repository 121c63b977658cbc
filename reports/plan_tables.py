"""The rows of plans: what is to be reached in a month."""

from typing import Final

from sqlalchemy import TIMESTAMP, CheckConstraint, Column, Date, Double, Table, Text, func

from directory.tables import metadata
from reports.plan_days import WHOSE_KINDS

_FINITE: Final = "value > '-infinity' and value < 'infinity'"

plans = Table(
    "plans",
    metadata,
    Column("month", Date, CheckConstraint("extract(day from month) = 1", name="month"), primary_key=True),
    Column("kind", Text, CheckConstraint(f"kind in {WHOSE_KINDS!r}", name="kind"), primary_key=True),
    Column("key", Text, primary_key=True, comment="Of a team, person or line, the name of a source; of the house ''."),
    Column("measure", Text, primary_key=True, comment="Of reports.registry; step.KEY: leads that reached that step."),
    Column("value", Double, CheckConstraint(_FINITE, name="finite"), nullable=False, comment="A share is 0 to 1."),
    Column("set_by", Text, nullable=False, comment="A login, or command line."),
    Column("set_at", TIMESTAMP(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("(kind = 'house') = (key = '')", name="house"),
    comment="What is to be reached in a month (its first day), by whom, of which measure.",
)

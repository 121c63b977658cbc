"""The rows of NPS: each client who is asked how willing they are to recommend the house, and what they answered."""

from typing import Final

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    SmallInteger,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import UUID

from crm_sync.tables import leads  # noqa: F401 - the key below points there
from directory.nps import WAYS
from directory.tables import metadata

_MOMENT: Final = TIMESTAMP(timezone=True)

STATES: Final = (
    *("declined", "planned", "calling", "sent"),
    *("answered", "refused", "unreachable", "expired"),
)
"""Of an ask: not to be asked, and why; to be asked; being called; a link is sent. And how it ended: with a score; the
client heard the question and gave none; nobody took the call; there was no time for it any more."""


def _one_of(column: str, values: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} in ({listed})"


nps_asks = Table(
    "nps_asks",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True, server_default=func.gen_random_uuid()),
    Column("reason", Text, nullable=False, unique=True, comment="What it is asked after: talk <id>, lead_event <id>."),
    Column("party_id", BigInteger, comment="Of crm_sync; null: nobody's."),
    Column("number", Text, nullable=False, comment="E.164 digits; empty once it is forgotten."),
    Column("talk_id", UUID(as_uuid=True), comment="The talk that it is asked after."),
    Column("lead_id", BigInteger, ForeignKey("leads.id", ondelete="SET NULL"), index=True),
    Column("stage", Text, nullable=False, server_default=text("''"), comment="With its step, as in_work/meeting."),
    Column("person", Text, comment="Key of who talked with the client, or has the lead."),
    Column("line", Text, nullable=False, server_default=text("''")),
    Column("way", Text, CheckConstraint(_one_of("way", WAYS), name="way"), nullable=False),
    Column("state", Text, CheckConstraint(_one_of("state", STATES), name="state"), nullable=False),
    Column("why", Text, nullable=False, server_default=text("''"), comment="Of one that is not asked: a key."),
    Column("planned_at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("due_at", _MOMENT),
    Column("asked_at", _MOMENT),
    Column("answered_at", _MOMENT),
    Column("score", SmallInteger, CheckConstraint("score between 0 and 10", name="score")),
    Column("comment", Text, comment="As it was written; what was spoken is in the text of the call."),
    Column("pbx", Text, comment="That calls the client; null: any."),
    Column("call_id", UUID(as_uuid=True), comment="The call that asked.", index=True),
    Column("message_id", BigInteger, comment="The event of the lead that has the link sent.", unique=True),
    CheckConstraint("(score is not null) = (state = 'answered')", name="answered"),
    Index("ix_nps_asks_open", "due_at", postgresql_where=text("state in ('planned', 'calling', 'sent')")),
    Index("ix_nps_asks_number", "number", "asked_at"),
    Index("ix_nps_asks_party_id", "party_id"),
    Index("ix_nps_asks_asked_at", "asked_at"),
    Index("ix_nps_asks_answered_at", "answered_at", postgresql_where=text("score is not null")),
    comment="How willing clients are to recommend the house: whom it asks after what, and their answers.",
)

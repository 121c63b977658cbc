"""Incidents are kept from begin to end, with the calls that they cost, and told by webhooks

Revision ID: 0067
Revises: 0066
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0067"
down_revision = "0066"
branch_labels = None
depends_on = None

_KINDS = (
    "'service', 'database', 'pbx', 'trunk', 'routing', 'events', 'device', 'crm_ended', 'crm_late', 'crm_dead',"
    " 'recordings', 'recordings_missing', 'disk', 'notices', 'jobs', 'erasures', 'stopped'"
)
_STEPS = "'call_started', 'call_answered', 'call_finished', 'recording', 'transcript', 'task', 'lead', 'message'"


def upgrade() -> None:
    op.create_table(
        "incidents",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        _text("subject", "Which PBX, trunk, CRM, …"),
        _text("reason", "Why, as far as it is known."),
        _number("found_count", "How many, of what is counted."),
        sa.Column(
            "grave", sa.Boolean(), nullable=False, comment="Calls or recordings are being lost, or nobody is told."
        ),
        _moment("started_at", "By our clock, as all times here."),
        _moment("seen_at", "When the fault was seen last."),
        _moment("ended_at", "When it was seen last, once nobody saw it for a minute; null: not yet.", nullable=True),
        _number("calls_lost"),
        _number("calls_saved"),
        sa.CheckConstraint(f"kind in ({_KINDS})", name=op.f("ck_incidents_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
        comment="Faults of telephony and of what it works with, from begin to end: one open a kind and subject.",
    )
    op.create_index(
        "ix_incidents_one_open_each",
        "incidents",
        ["kind", "subject"],
        unique=True,
        postgresql_where=sa.text("ended_at is null"),
    )
    op.create_index("ix_incidents_started_at_id", "incidents", ["started_at", "id"])
    op.create_index("ix_incidents_ended_at", "incidents", ["ended_at"])
    op.create_table(
        "incident_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        _moment("at", default=True),
        sa.CheckConstraint("what in ('opened', 'reopened', 'closed')", name=op.f("ck_incident_events_what")),
        _of_an_incident("incident_events"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident_events")),
        comment="Append-only: when an incident was opened, opened again and closed.",
    )
    op.create_index(op.f("ix_incident_events_incident_id"), "incident_events", ["incident_id"])
    op.create_table(
        "incident_calls",
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("call_id", postgresql.UUID(as_uuid=True), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.CheckConstraint("outcome in ('lost', 'saved')", name=op.f("ck_incident_calls_outcome")),
        _of_an_incident("incident_calls"),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name=op.f("fk_incident_calls_call_id_calls"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("incident_id", "call_id", name=op.f("pk_incident_calls")),
        comment="The calls that an incident cost, and those that were had all the same.",
    )
    op.create_index(op.f("ix_incident_calls_call_id"), "incident_calls", ["call_id"])
    op.create_table(
        "signs_of_life",
        sa.Column("id", sa.Integer(), server_default=sa.text("1"), nullable=False),
        _moment("at", default=True),
        sa.Column(
            "ended", sa.Boolean(), server_default=sa.false(), nullable=False, comment="It was ended, and did not break."
        ),
        sa.CheckConstraint("id = 1", name=op.f("ck_signs_of_life_only_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signs_of_life")),
        comment="When a telephony role looked last whether all is well; while it is old, no service is there.",
    )
    _steps(f"{_STEPS}, 'incident'")


def downgrade() -> None:
    op.execute("delete from crm_effects where step = 'incident'")
    op.execute("update crm_connections set steps = array_remove(steps, 'incident')")
    _steps(_STEPS)
    op.drop_table("signs_of_life")
    op.drop_table("incident_calls")
    op.drop_table("incident_events")
    op.drop_table("incidents")


def _text(name: str, comment: str) -> "sa.Column[str]":
    return sa.Column(name, sa.Text(), server_default=sa.text("''"), nullable=False, comment=comment)


def _number(name: str, comment: str | None = None) -> "sa.Column[int]":
    return sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False, comment=comment)


def _moment(
    name: str, comment: str | None = None, *, nullable: bool = False, default: bool = False
) -> "sa.Column[object]":
    now = sa.text("clock_timestamp()") if default else None
    moment = postgresql.TIMESTAMP(timezone=True)
    return sa.Column(name, moment, server_default=now, nullable=nullable, comment=comment)


def _of_an_incident(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_incident_id_incidents")
    return sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name=name, ondelete="CASCADE")


def _steps(steps: str) -> None:
    op.drop_constraint(op.f("ck_crm_effects_step"), "crm_effects", type_="check")
    # Rows of before had fewer steps; 0068 looks at them, which keeps nobody from writing.
    op.create_check_constraint(op.f("ck_crm_effects_step"), "crm_effects", f"step in ({steps})", postgresql_not_valid=True)

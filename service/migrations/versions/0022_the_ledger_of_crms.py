"""Connections to CRMs, what each is owed, and that a recording is late there

Revision ID: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_MOMENT = sa.TIMESTAMP(timezone=True)
_NOW = sa.text("clock_timestamp()")


def upgrade() -> None:
    _connections()
    _effects()
    _requests()
    op.add_column(
        "call_audio",
        sa.Column(
            "not_in_crm_since", _MOMENT, comment="Since when a CRM is owed the sound and does not have it; null: none is."
        ),
    )


def downgrade() -> None:
    op.drop_column("call_audio", "not_in_crm_since")
    op.drop_table("crm_requests")
    op.drop_table("crm_effects")
    op.drop_table("crm_connections")


def _connections() -> None:
    op.create_table(
        "crm_connections",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "settings", postgresql.JSONB(), nullable=False, comment="What is no secret: the address, what it wants."
        ),
        sa.Column(
            "secrets", sa.LargeBinary(), nullable=False, comment="AES-256-GCM of JSON, with the key of the environment."
        ),
        sa.Column("steps", postgresql.ARRAY(sa.Text()), nullable=False, comment="What it is to be told."),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column(
            "stopped_by", sa.Text(), comment="hand, or the kind of the error that ended it; null: it is not stopped."
        ),
        sa.Column(
            "paused_until", _MOMENT, comment="Nothing is sent before: it asked to wait, or nobody is there."
        ),
        sa.Column("created_at", _MOMENT, server_default=_NOW, nullable=False),
        sa.Column("changed_at", _MOMENT, server_default=_NOW, nullable=False),
        sa.CheckConstraint("kind in ('webhook')", name=op.f("ck_crm_connections_kind")),
        sa.CheckConstraint("state in ('active', 'shadow', 'stopped')", name=op.f("ck_crm_connections_state")),
        sa.CheckConstraint(
            "(state = 'stopped') = (stopped_by is not null)", name=op.f("ck_crm_connections_stopped_by_somebody")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_crm_connections")),
        comment="CRMs and others who are told what happens.",
    )


def _effects() -> None:
    op.create_table(
        "crm_effects",
        sa.Column(
            "key", sa.UUID(), nullable=False, comment="Half of SHA-256 of connection, PBX, call and step."
        ),
        sa.Column(
            "number",
            sa.BigInteger(),
            sa.Identity(always=False),
            nullable=False,
            comment="The order in which they were planned.",
        ),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("call_id", sa.UUID()),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("subject", sa.BigInteger(), comment="Id of the row that tells what happened to a task or a lead."),
        sa.Column("lane", sa.Text(), nullable=False, comment="A digest of whom it is about: one at a time of each."),
        sa.Column("waits", sa.Boolean(), nullable=False, comment="What it tells of is not there yet: nothing sends it."),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("remote_id", sa.Text(), comment="What it is called there."),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "request",
            postgresql.JSONB(),
            comment="What is told, without secrets, as it read at the first attempt.",
        ),
        sa.Column("answer", postgresql.JSONB(), comment="What was said last, masked and cut."),
        sa.Column("error", sa.Text(), comment="The kind of the last error; null: none."),
        sa.Column("planned_at", _MOMENT, server_default=_NOW, nullable=False),
        sa.Column("first_sent_at", _MOMENT, comment="Since when it is tried; a retry by hand begins anew."),
        sa.Column("sent_at", _MOMENT, comment="The last attempt."),
        sa.Column("next_at", _MOMENT, comment="Not before; null: as soon as it is its turn."),
        sa.Column("ended_at", _MOMENT, comment="Since when it is done, dead or shadow."),
        sa.CheckConstraint(
            "step in ('call_started', 'call_answered', 'call_finished', 'recording', 'transcript', 'task', 'lead')",
            name=op.f("ck_crm_effects_step"),
        ),
        sa.CheckConstraint(
            "state in ('planned', 'sent', 'unknown', 'done', 'dead', 'shadow')", name=op.f("ck_crm_effects_state")
        ),
        sa.CheckConstraint(
            "(ended_at is null) = (state in ('planned', 'sent', 'unknown'))", name=op.f("ck_crm_effects_ended")
        ),
        sa.ForeignKeyConstraint(
            ["connection"],
            ["crm_connections.key"],
            name=op.f("fk_crm_effects_connection_crm_connections"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name=op.f("fk_crm_effects_call_id_calls"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_crm_effects")),
        comment="The ledger: what each connection is owed, exactly once.",
    )
    op.create_index("ix_crm_effects_call_id", "crm_effects", ["call_id"])
    op.create_index("ix_crm_effects_connection_number", "crm_effects", ["connection", "number"])
    told = {"postgresql_where": sa.text("subject is not null")}
    op.create_index("ix_crm_effects_subject", "crm_effects", ["step", "subject"], **told)
    kept = {"postgresql_where": sa.text("request is not null")}
    op.create_index("ix_crm_effects_kept", "crm_effects", ["ended_at"], **kept)
    op.create_index(
        "ix_crm_effects_open",
        "crm_effects",
        ["connection", "planned_at"],
        postgresql_where=sa.text("state in ('planned', 'sent', 'unknown', 'dead')"),
    )


def _requests() -> None:
    op.create_table(
        "crm_requests",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("seconds_most", sa.Float(), nullable=False, comment="The bucket that it took at most."),
        sa.Column("request_count", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection"],
            ["crm_connections.key"],
            name=op.f("fk_crm_requests_connection_crm_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "connection", "operation", "result", "seconds_most", name=op.f("pk_crm_requests")
        ),
        comment="How many requests were sent to whom, what became of them and how long they took.",
    )

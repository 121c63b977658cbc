"""Devices that people answer on

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATES = "('not_inuse', 'inuse', 'ringing', 'busy', 'onhold', 'unavailable', 'unknown', 'dnd')"


def upgrade() -> None:
    op.add_column(
        "people",
        sa.Column(
            "order",
            sa.Text(),
            nullable=False,
            server_default=sa.text("'fixed'"),
            comment="Of the devices: as written, or learned.",
        ),
    )
    op.add_column(
        "people",
        sa.Column(
            "ring",
            sa.Text(),
            nullable=False,
            server_default=sa.text("'mobile_apart'"),
            comment="Which devices ring at once.",
        ),
    )
    op.create_check_constraint(op.f("ck_people_order"), "people", "\"order\" in ('fixed', 'learned')")
    op.create_check_constraint(op.f("ck_people_ring"), "people", "ring in ('mobile_apart', 'in_turn', 'together')")
    op.add_column(
        "devices",
        sa.Column("mobile_seconds", sa.Integer(), comment="How long a mobile rings at most; null: the usual time."),
    )
    op.create_check_constraint(op.f("ck_devices_mobile_seconds"), "devices", "mobile_seconds between 5 and 60")
    op.add_column(
        "lines",
        sa.Column(
            "mobile_shows",
            sa.Text(),
            nullable=False,
            server_default=sa.text("'line'"),
            comment="Whose number a mobile shows.",
        ),
    )
    op.create_check_constraint(op.f("ck_lines_mobile_shows"), "lines", "mobile_shows in ('line', 'caller')")
    op.create_check_constraint(op.f("ck_device_states_state"), "device_states", f"state in {STATES}")
    op.alter_column(
        "device_states",
        "device",
        comment="TECH/name, as the directory writes it, or a switch such as Custom:DND101.",
        existing_comment="TECH/name, as the directory writes it.",
    )
    op.create_table(
        "device_answers",
        sa.Column("device", sa.Text(), nullable=False, comment="As the directory writes it."),
        sa.Column(
            "hour",
            sa.SmallInteger(),
            nullable=False,
            comment="Of its person's week: 0 is Monday, midnight to one.",
        ),
        sa.Column(
            "rang", sa.Float(), nullable=False, comment="Rings, each by the weight of its time (routing.learned)."
        ),
        sa.Column("answered", sa.Float(), nullable=False, comment="Those of them that were answered."),
        sa.CheckConstraint("hour between 0 and 167", name=op.f("ck_device_answers_hour")),
        sa.CheckConstraint("answered >= 0 and rang >= answered", name=op.f("ck_device_answers_shares")),
        sa.PrimaryKeyConstraint("device", "hour", name=op.f("pk_device_answers")),
        comment="Learned from the legs of settled calls; `switchhook rebuild` learns it anew.",
    )
    op.create_table(
        "owner_copies",
        sa.Column("number", sa.Text(), nullable=False, comment="E.164 digits without plus."),
        sa.Column("owner", sa.Text(), comment="Key of a person; null: the CRM said that nobody owns it."),
        sa.Column("told_at", sa.TIMESTAMP(timezone=True), nullable=False, comment="When the CRM said so."),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_owner_copies")),
        comment="What a CRM said last, for the calls it does not answer in time for; losing it costs one look-up each.",
    )


def downgrade() -> None:
    op.drop_table("owner_copies")
    op.drop_table("device_answers")
    op.execute("delete from device_states where state = 'dnd'")
    op.drop_constraint(op.f("ck_device_states_state"), "device_states")
    op.alter_column(
        "device_states",
        "device",
        comment="TECH/name, as the directory writes it.",
        existing_comment="TECH/name, as the directory writes it, or a switch such as Custom:DND101.",
    )
    op.drop_column("lines", "mobile_shows")
    op.drop_column("devices", "mobile_seconds")
    op.drop_column("people", "ring")
    op.drop_column("people", "order")

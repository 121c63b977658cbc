"""Heads overhear calls, screens show the wallboard without a login, and what was refused is found at once

Revision ID: 0051
Revises: 0052
"""

import re

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0051"
down_revision = "0052"
branch_labels = None
depends_on = None

_NEW = ("call_overheard", "wall_link_made", "wall_link_revoked")
_ACTIONS = sa.text("select pg_get_constraintdef(oid) from pg_constraint where conname = 'ck_audit_action'")
_MOMENT = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    _make_overhearings()
    op.create_table(
        "wall_links",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of what its address holds."),
        sa.Column("label", sa.Text(), nullable=False, comment="Which screen it is for."),
        sa.Column("team", sa.Text(), comment="Key of the team that it shows; null: the whole house."),
        sa.Column("made_by", sa.Text(), nullable=False, comment="A login, or command line."),
        sa.Column("made_at", _MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("used_at", _MOMENT, comment="When a screen came last, to the minute."),
        sa.Column("revoked_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wall_links")),
        sa.UniqueConstraint("digest", name=op.f("uq_wall_links_digest")),
        comment="Addresses at which a screen shows the wallboard without a login; they open nothing else.",
    )
    refused = sa.text("kind = 'RecordingRefused'")
    op.create_index("ix_call_events_recording_refused", "call_events", ["at"], postgresql_where=refused)
    _actions([*_known(), *_NEW])


def downgrade() -> None:
    # The audit is append-only, and what it says of these has no place in the schema before.
    op.execute("alter table audit disable trigger user")
    op.execute(f"delete from audit where action in {_NEW!r}")
    op.execute("alter table audit enable trigger user")
    _actions([name for name in _known() if name not in _NEW])
    op.drop_index("ix_call_events_recording_refused", "call_events")
    op.drop_table("wall_links")
    op.drop_table("overhearings")


def _make_overhearings() -> None:
    op.create_table(
        "overhearings",
        sa.Column("id", postgresql.UUID(), server_default=sa.func.gen_random_uuid(), nullable=False),
        sa.Column("call_id", postgresql.UUID(), nullable=False, comment="The call that is overheard."),
        sa.Column("person", sa.Text(), nullable=False, comment="Key of who overhears, on a telephone of theirs."),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False, comment="Login."),
        sa.Column("asked_at", _MOMENT, server_default=sa.func.clock_timestamp(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'wanted'"), nullable=False),
        sa.Column("reason", sa.Text(), comment="Key of why it failed."),
        sa.Column("device", sa.Text(), comment="The telephone that was called."),
        sa.Column("channel", sa.Text(), comment="Uniqueid of its channel, which is no call's."),
        sa.Column("began_at", _MOMENT, comment="Since when it is heard, by our clock."),
        sa.Column("ended_at", _MOMENT, comment="Until when."),
        sa.CheckConstraint("mode in ('listen', 'whisper', 'join')", name=op.f("ck_overhearings_mode")),
        sa.CheckConstraint(
            "state in ('wanted', 'placed', 'heard', 'over', 'failed')", name=op.f("ck_overhearings_state")
        ),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name=op.f("fk_overhearings_call_id_calls"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_overhearings")),
        comment="Append-only but for its state: who heard a call while it went on, since when and how.",
    )
    op.create_index(op.f("ix_overhearings_call_id"), "overhearings", ["call_id"])
    op.create_index("ix_overhearings_person_asked_at", "overhearings", ["person", "asked_at"])
    going_on = sa.text("state in ('wanted', 'placed', 'heard')")
    op.create_index("ix_overhearings_under_way", "overhearings", ["state"], postgresql_where=going_on)


def _known() -> list[str]:
    """What the audit may tell, as the schema stands."""
    return re.findall(r"'(\w+)'::text", op.get_bind().execute(_ACTIONS).scalar_one())


def _actions(names: list[str]) -> None:
    op.drop_constraint(op.f("ck_audit_action"), "audit", type_="check")
    op.create_check_constraint(op.f("ck_audit_action"), "audit", f"action in {tuple(names)!r}")

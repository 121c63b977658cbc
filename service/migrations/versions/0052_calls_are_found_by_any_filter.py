"""Calls are found by any filter, filters have names, and who is on a promise to call back is seen

Revision ID: 0052
Revises: 0050
"""

import re

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0052"
down_revision = "0050"
branch_labels = None
depends_on = None

_NEW = ("calls_exported", "view_saved", "view_removed")
_ACTIONS = sa.text("select pg_get_constraintdef(oid) from pg_constraint where conname = 'ck_audit_action'")
_MOMENT = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    alone = sa.text("joined_into is null")
    op.create_index("ix_calls_line_started_at", "calls", ["line", "started_at"], postgresql_where=alone)
    op.create_index(
        "ix_calls_missed_cause_started_at",
        "calls",
        ["missed_cause", "started_at"],
        postgresql_where=sa.text("missed_cause is not null and joined_into is null"),
    )
    op.create_index(
        "ix_calls_failed",
        "calls",
        ["status", "started_at"],
        postgresql_include=["missed_cause", "line"],
        postgresql_where=sa.text("status in ('missed', 'voicemail', 'failed') and joined_into is null"),
    )
    op.create_index(
        "ix_call_audio_not_in_crm",
        "call_audio",
        ["not_in_crm_since"],
        postgresql_where=sa.text("not_in_crm_since is not null"),
    )
    _claims()
    _views()
    _actions([*_known(), *_NEW])


def downgrade() -> None:
    # The audit is append-only, and what it says of exports and views has no place in the schema before.
    op.execute("alter table audit disable trigger user")
    op.execute(f"delete from audit where action in {_NEW!r}")
    op.execute("alter table audit enable trigger user")
    _actions([name for name in _known() if name not in _NEW])
    op.drop_table("saved_views")
    op.drop_table("follow_up_claims")
    op.drop_index("ix_call_audio_not_in_crm", "call_audio")
    for name in ("ix_calls_failed", "ix_calls_missed_cause_started_at", "ix_calls_line_started_at"):
        op.drop_index(name, "calls")


def _claims() -> None:
    op.create_table(
        "follow_up_claims",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("follow_up_id", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False, comment="Key of a person, else a login."),
        sa.Column("at", _MOMENT, nullable=False, server_default=sa.func.clock_timestamp()),
        sa.Column("until", _MOMENT, nullable=False, comment="By itself it ends then."),
        sa.Column("ended_at", _MOMENT, comment="When they let go, or somebody else took over; null: not yet."),
        sa.ForeignKeyConstraint(
            ["follow_up_id"],
            ["follow_ups.id"],
            name=op.f("fk_follow_up_claims_follow_up_id_follow_ups"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_follow_up_claims")),
        comment="Who is on a promise to call back just now, and who was; whose promise it is stays as it was.",
    )
    op.create_index(
        "ix_follow_up_claims_one_each",
        "follow_up_claims",
        ["follow_up_id"],
        unique=True,
        postgresql_where=sa.text("ended_at is null"),
    )
    op.create_index("ix_follow_up_claims_follow_up_id", "follow_up_claims", ["follow_up_id"])


def _views() -> None:
    op.create_table(
        "saved_views",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False, comment="Whose it is."),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "filters",
            postgresql.JSONB(),
            nullable=False,
            comment="Of the list of calls, by their names there; never a number.",
        ),
        sa.Column("team", sa.Text(), comment="Key of the team whose people see it too; null: nobody does."),
        sa.Column("changed_at", _MOMENT, nullable=False, server_default=sa.func.now()),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_saved_views_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_views")),
        sa.UniqueConstraint("user_id", "name", name=op.f("uq_saved_views_user_id_name")),
        comment="Filters of the list of calls that somebody gave a name.",
    )
    op.create_index("ix_saved_views_team", "saved_views", ["team"])


def _known() -> list[str]:
    """What the audit may tell, as the schema stands."""
    return re.findall(r"'(\w+)'::text", op.get_bind().execute(_ACTIONS).scalar_one())


def _actions(names: list[str]) -> None:
    op.drop_constraint(op.f("ck_audit_action"), "audit", type_="check")
    op.create_check_constraint(op.f("ck_audit_action"), "audit", f"action in {tuple(names)!r}")

"""How complete the audio of a call is, and by which tokens PBXes send their recordings

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

STATES = "'missing', 'unreadable', 'empty', 'silent', 'short', 'stored'"
TRANSFERS = "'none', 'blind', 'attended', 'blonde', 'conference', 'parked', 'forward', 'pickup', 'queue'"
WHOLE = "(path is not null and bytes is not null and sha256 is not null and seconds is not null)"


def upgrade() -> None:
    op.add_column(
        "recordings",
        sa.Column("loud_seconds", sa.Float, comment="Of it, above the noise of a line; null: not measured."),
    )
    op.add_column(
        "recordings",
        sa.Column("loudest_dbfs", sa.Float, comment="RMS of the loudest 20 ms; null: not measured, or not a sound."),
    )
    op.add_column(
        "recordings", sa.Column("talk_seconds", sa.Float, comment="Of talk that it had to hold; null: not judged.")
    )
    op.alter_column(
        "recordings", "reason", comment="Why it is not well.", existing_comment="Why it is missing.",
        existing_type=sa.Text,
    )  # fmt: skip
    _constrain(f"state in ({STATES})", f"(state in ('stored', 'short', 'silent')) = {WHOLE}")
    op.drop_index("ix_recordings_missing", "recordings")
    op.create_index(
        "ix_recordings_gaps", "recordings", ["stored_at"], postgresql_where=sa.text("state <> 'stored'")
    )
    op.create_table(
        "call_audio",
        sa.Column(
            "call_id", sa.UUID(), sa.ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True, nullable=False
        ),
        sa.Column("state", sa.Text, nullable=False, comment="Of its worst side."),
        sa.Column("transfer", sa.Text, nullable=False),
        sa.Column(
            "trunk",
            sa.Text,
            nullable=False,
            comment="By which device who is outside was reached; empty: nobody was.",
        ),
        sa.Column(
            "judged_at", sa.TIMESTAMP(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()
        ),
        sa.CheckConstraint(f"state in ({STATES})", name=op.f("ck_call_audio_state")),
        sa.CheckConstraint(f"transfer in ({TRANSFERS})", name=op.f("ck_call_audio_transfer")),
        comment="Whether the audio of a settled call is complete.",
    )
    op.create_index("ix_call_audio_gaps", "call_audio", ["judged_at"], postgresql_where=sa.text("state <> 'stored'"))
    op.create_table(
        "upload_tokens",
        sa.Column(
            "digest", sa.LargeBinary, primary_key=True, comment="SHA-256 of the token; shown once, never stored."
        ),
        sa.Column(
            "pbx", sa.Text, nullable=False, comment="The PBX whose recordings it may send, and nothing else."
        ),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("used_at", sa.TIMESTAMP(timezone=True)),
        sa.Column("revoked_at", sa.TIMESTAMP(timezone=True)),
        comment="They open no page and no other path of the API.",
    )


def downgrade() -> None:
    op.drop_table("upload_tokens")
    op.drop_table("call_audio")
    op.drop_index("ix_recordings_gaps", "recordings")
    op.create_index(
        "ix_recordings_missing", "recordings", ["stored_at"], postgresql_where=sa.text("state = 'missing'")
    )
    op.execute("update recordings set state = 'missing' where state in ('unreadable', 'empty')")
    op.execute("update recordings set state = 'stored', reason = null where state in ('short', 'silent')")
    _constrain("state in ('stored', 'missing')", f"(state = 'stored') = {WHOLE}")
    op.alter_column(
        "recordings", "reason", comment="Why it is missing.", existing_comment="Why it is not well.",
        existing_type=sa.Text,
    )  # fmt: skip
    for name in ("talk_seconds", "loudest_dbfs", "loud_seconds"):
        op.drop_column("recordings", name)


def _constrain(state: str, whole: str) -> None:
    for name, rule in (("state", state), ("stored_is_whole", whole)):
        op.execute(f"alter table recordings drop constraint if exists ck_recordings_{name}")
        op.create_check_constraint(op.f(f"ck_recordings_{name}"), "recordings", rule)

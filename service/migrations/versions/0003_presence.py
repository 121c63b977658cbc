"""Holidays, special dates, absences, statuses and calendars

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_MOMENT = sa.TIMESTAMP(timezone=True)
_STATUS = "status in ('available', 'away', 'do_not_disturb', 'wrap_up')"
_WRAP_UP = "wrap_up_seconds between 0 and 3600"


def upgrade() -> None:
    op.add_column("hours", sa.Column("holidays", sa.Text(), comment="Country, or country and region, whose public holidays are closed."))
    op.add_column(
        "hours",
        sa.Column("dates", postgresql.JSONB(), nullable=False, server_default=sa.text("'{}'"), comment='{"2026-12-31": "10:00-15:00", ...}'),
    )
    op.add_column("people", sa.Column("calendar", sa.Text(), comment="Address of an ICS feed: a secret, for whoever knows it reads the calendar."))
    op.add_column("teams", sa.Column("hours", sa.Text(), comment="Null: whenever a line is open."))
    op.add_column("teams", sa.Column("time_zone", sa.Text(), comment="Null: the company's."))
    op.add_column("teams", sa.Column("wrap_up_seconds", sa.Integer(), comment="Null: none."))
    op.create_foreign_key(op.f("fk_teams_hours_hours"), "teams", "hours", ["hours"], ["key"])
    op.create_check_constraint(op.f("ck_teams_wrap_up_seconds"), "teams", _WRAP_UP)
    op.add_column("lines", sa.Column("wrap_up_seconds", sa.Integer(), comment="Null: the team's."))
    op.create_check_constraint(op.f("ck_lines_wrap_up_seconds"), "lines", _WRAP_UP)
    op.create_table(
        "absences",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("starts_at", _MOMENT, nullable=False),
        sa.Column("ends_at", _MOMENT, nullable=False),
        sa.Column("substitute", sa.Text(), comment="Who is rung meanwhile."),
        sa.Column("reason", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("set_at", _MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_absences_lasts")),
        sa.ForeignKeyConstraint(["person"], ["people.key"], name=op.f("fk_absences_person_people"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["substitute"], ["people.key"], name=op.f("fk_absences_substitute_people"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_absences")),
    )
    op.create_index("ix_absences_person_ends_at", "absences", ["person", "ends_at"])
    op.create_table(
        "statuses",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("until", _MOMENT, comment="Available again from then on; null: until it is set anew."),
        sa.Column("set_at", _MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(_STATUS, name=op.f("ck_statuses_status")),
        sa.ForeignKeyConstraint(["person"], ["people.key"], name=op.f("fk_statuses_person_people"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("person", name=op.f("pk_statuses")),
        comment="What people said of themselves, or a talk's end said for them; who has no row is available.",
    )
    op.create_table(
        "calendars",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("address_digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the address that this is a copy of."),
        sa.Column("tried_at", _MOMENT, nullable=False),
        sa.Column("failure", sa.Text(), comment="Why the last try failed, as a key; null: it did not."),
        sa.Column("fetched_at", _MOMENT, comment="When the copy was last true; null: there is none yet."),
        sa.Column("body", sa.LargeBinary(), comment="The last good copy."),
        sa.Column("etag", sa.Text()),
        sa.Column("blocks", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False, comment="[[from, to, busy or away], ...]"),
        sa.Column("blocks_until", _MOMENT, comment="Up to when the copy's events were worked out."),
        sa.ForeignKeyConstraint(["person"], ["people.key"], name=op.f("fk_calendars_person_people"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("person", name=op.f("pk_calendars")),
        comment="The last good copy of each person's calendar feed, and the times it makes them busy.",
    )


def downgrade() -> None:
    for table in ("calendars", "statuses", "absences"):
        op.drop_table(table)
    op.drop_constraint(op.f("ck_lines_wrap_up_seconds"), "lines")
    op.drop_column("lines", "wrap_up_seconds")
    op.drop_constraint(op.f("ck_teams_wrap_up_seconds"), "teams")
    for table, column in (
        ("teams", "wrap_up_seconds"), ("teams", "time_zone"), ("teams", "hours"),
        ("people", "calendar"), ("hours", "dates"), ("hours", "holidays"),
    ):
        op.drop_column(table, column)

"""Hours are kept of few counts, and the planner knows how few facts are of one kind

Revision ID: 0080
Revises: 0079
"""

from alembic import op

revision = "0080"
down_revision = "0079"
branch_labels = None
depends_on = None

_ALL = "The same by the hour."
_FEW = "The same by the hour, of counts of which something is told by it."
_KEPT = "'answerable', 'answered_soon', 'calls_in', 'missed', 'missed_integration'"

# By columns taken each for itself a hundred times as many kinds are thought to be, and they are sorted on a disk.
_KINDS = {
    "report_facts_kinds": "(ndistinct) on count, team, line, person, detail from report_facts",
    "report_hours_kinds": "(ndistinct) on count, team, line, hour from report_hours",
}


def upgrade() -> None:
    op.execute(f"delete from report_hours where count not in ({_KEPT})")  # noqa: S608 - of our own text
    op.create_table_comment("report_hours", _FEW, existing_comment=_ALL)
    for name, kinds in _KINDS.items():
        op.execute(f"create statistics {name} {kinds}")
    op.execute("analyze report_facts, report_hours")


def downgrade() -> None:
    for name in _KINDS:
        op.execute(f"drop statistics {name}")
    op.create_table_comment("report_hours", _ALL, existing_comment=_FEW)
    op.execute("update report_days set ground = ''")

"""What the first tables may hold is kept by the database too: 0001 had left out the checks of single columns.

Revision ID: 0037
Revises: 0036
"""

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

_STAGES = "('new', 'qualifying', 'qualified', 'in_work', 'won', 'lost', 'disqualified', 'reviving')"
_ROLES = "('manager', 'head', 'operator', 'admin')"
_CHECKS = (
    ("company", "one_row", "id = 1"),
    ("devices", "kind", "kind in ('desk', 'soft', 'mobile')"),
    ("leads", "stage", f"stage in {_STAGES}"),
    ("people", "role", f"role in {_ROLES}"),
    ("recordings", "side", "side in ('caller', 'staff')"),
    ("users", "role", f"role in {_ROLES}"),
)


def upgrade() -> None:
    for table, name, condition in _CHECKS:
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)


def downgrade() -> None:
    for table, name, _ in reversed(_CHECKS):
        op.drop_constraint(op.f(f"ck_{table}_{name}"), table)

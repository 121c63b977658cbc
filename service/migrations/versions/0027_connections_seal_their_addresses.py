"""Connections seal their addresses, take messages, and are audited; no effect keeps what was said

Revision ID: 0027
Revises: 0026
"""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_STEPS_BEFORE = "'call_started', 'call_answered', 'call_finished', 'recording', 'transcript', 'task', 'lead'"
_BEFORE = (
    "'recording_paused', 'recording_resumed', 'original_heard', 'masked_anew', 'hold_set', 'hold_lifted',"
    " 'retention_applied', 'erase_asked', 'erased', 'link_made', 'link_used', 'link_revoked', 'link_key_made',"
    " 'leads_imported', 'leads_exported'"
)
_ADDED = (
    "'crm_added', 'crm_secret_made', 'crm_started', 'crm_stopped', 'crm_retried', 'crm_discarded', 'crm_removed'"
)


def upgrade() -> None:
    """An address in clear is sealed by the worker when it starts: only its environment has the key."""
    _check("audit", "action", f"{_BEFORE}, {_ADDED}")
    _check("crm_effects", "step", f"{_STEPS_BEFORE}, 'message'")
    op.alter_column("crm_connections", "settings", comment="What is no secret: of the address its origin.")
    op.alter_column(
        "crm_effects", "request", comment="What is told, as it read at first; of sound and text which."
    )
    op.execute(
        "update crm_effects set request = jsonb_set(request, '{told}', jsonb_build_object('call', request->'told'->'call'))"
        " where step = 'transcript' and request is not null"
    )
    op.execute(
        "update links l set made_by = 'crm ' || e.connection from crm_effects e"
        " where e.step = 'recording' and cast(e.request->'told'->>'link' as bigint) = l.id"
    )


def downgrade() -> None:
    op.execute("update links set made_by = 'switchhook' where made_by like 'crm %'")
    op.alter_column(
        "crm_effects", "request", comment="What is told, without secrets, as it read at the first attempt."
    )
    op.alter_column("crm_connections", "settings", comment="What is no secret: the address, what it wants.")
    # What is sealed an earlier version does not look for: a person has to say the address again.
    op.execute(
        "update crm_connections set state = 'stopped', stopped_by = 'hand',"
        " settings = settings || jsonb_build_object('url', settings->'origin') where not settings ? 'url'"
    )
    # Neither has a place in the schema before.
    op.execute("delete from crm_effects where step = 'message'")
    op.execute("update crm_connections set steps = array_remove(steps, 'message')")
    _check("crm_effects", "step", _STEPS_BEFORE)
    op.execute("alter table audit disable trigger user")
    op.execute(f"delete from audit where action in ({_ADDED})")
    op.execute("alter table audit enable trigger user")
    _check("audit", "action", _BEFORE)


def _check(table: str, column: str, words: str) -> None:
    name = op.f(f"ck_{table}_{column}")
    op.drop_constraint(name, table, type_="check")
    op.create_check_constraint(name, table, f"{column} in ({words})")

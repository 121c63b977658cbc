"""A call out is of whoever called, and tries of passwords are counted for all web processes

Revision ID: 0066
Revises: 0064
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0066"
down_revision = "0064"
branch_labels = None
depends_on = None

_COMMENT = "Key of who of ours talked on it; of a call out, who called."


FILL = """
update calls set person = caller.person
from calls out cross join lateral (
    select coalesce(
        (select fact ->> 'person' from jsonb_array_elements(out.state -> 'facts') as fact
         where fact ->> 'kind' = 'OutgoingJudged' and fact ->> 'person' <> ''
         order by cast(fact ->> 'at' as timestamptz) limit 1),
        (select d.person from devices d cross join lateral (
             select d.address in (
                 select regexp_replace(name #>> '{}', '-[0-9a-f]+$', '')
                 from jsonb_path_query(out.state, '$.channels.* ? (@.incoming == true).name[1]') as name) as called) by
         where by.called or out.caller_number in (d.address, d.number)
         order by by.called desc limit 1)
    ) as person) as caller
where out.id = calls.id and out.direction = 'outbound' and out.person is distinct from caller.person
  and caller.person is not null
"""


def upgrade() -> None:
    op.alter_column("calls", "person", existing_type=sa.Text(), comment=_COMMENT)
    op.execute(sa.text(FILL))
    op.create_table(
        "password_tries",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False, comment="Who tried, as `web.addresses.counted` tells it."),
        sa.Column(
            "login",
            sa.LargeBinary(),
            nullable=False,
            comment="HMAC-SHA256 of what was typed, for it may be a password, by a key of the house.",
        ),
        sa.Column(
            "at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_password_tries")),
        comment="Passwords that were looked at in the last minutes and did not fit; the web role forgets what is older.",
    )
    op.create_index(op.f("ix_password_tries_at"), "password_tries", ["at"])
    op.create_index("ix_password_tries_address_at", "password_tries", ["address", "at"])


def downgrade() -> None:
    op.drop_table("password_tries")
    op.alter_column("calls", "person", existing_type=sa.Text(), comment=None, existing_comment=_COMMENT)

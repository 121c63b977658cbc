"""The rows of backups: when each was made, for whoever asks how old the newest is."""

from sqlalchemy import TIMESTAMP, BigInteger, Column, Identity, Table, Text, func

from directory.tables import metadata

backups = Table(
    "backups",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("made_at", TIMESTAMP(timezone=True), nullable=False, server_default=func.clock_timestamp(), index=True),
    Column("folder", Text, comment="Where it was put; null: the server was copied by other means, and that was noted."),
    comment="Backups that were finished; of which moment each is.",
)

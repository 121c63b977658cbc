"""The rows of this room: what each PBX last said about its devices, and how far its clock is from ours."""

from typing import Final

from sqlalchemy import TIMESTAMP, Boolean, CheckConstraint, Column, Interval, PrimaryKeyConstraint, Table, Text

from directory.tables import metadata

STATES: Final = ("not_inuse", "inuse", "ringing", "busy", "onhold", "unavailable", "unknown", "dnd")

device_states = Table(
    "device_states",
    metadata,
    Column("pbx", Text, nullable=False, comment="Name of the PBX in the settings."),
    Column(
        "device",
        Text,
        nullable=False,
        comment="TECH/name, as the directory writes it, or a switch such as Custom:DND101.",
    ),
    Column("state", Text, CheckConstraint(f"state in {STATES!r}", name="state"), nullable=False),
    Column("reachable", Boolean, nullable=False, comment="A call sent there has somewhere to ring."),
    Column("changed_at", TIMESTAMP(timezone=True), nullable=False, comment="The PBX's time."),
    PrimaryKeyConstraint("pbx", "device"),
    comment="Asked in full at every connect, then kept by events; losing it costs one question.",
)

device_reachability = Table(
    "device_reachability",
    metadata,
    Column("pbx", Text, nullable=False, comment="Name of the PBX in the settings."),
    Column("device", Text, nullable=False, comment="A phone or a trunk: TECH/name."),
    Column("at", TIMESTAMP(timezone=True), nullable=False, comment="The PBX's time."),
    Column("reachable", Boolean, nullable=False),
    PrimaryKeyConstraint("pbx", "device", "at"),
    comment="When phones and trunks came and went; kept so that a missed call is not charged to who had no phone.",
)

pbx_clocks = Table(
    "pbx_clocks",
    metadata,
    Column("pbx", Text, primary_key=True, comment="Name of the PBX in the settings."),
    Column("ahead", Interval, nullable=False, comment="The PBX's clock minus ours."),
    comment="Measured at every connect and each minute, for whoever counts how long ago a time of the PBX was.",
)

"""The one list of all that the doctor looks at; docs/operations/doctor.md tells each check to the operator."""

from __future__ import annotations

from typing import Final

from service.doctor import (
    cel,
    certificates,
    copies,
    crm,
    database,
    devices,
    disk,
    features,
    notices,
    pbx,
    people,
    security,
    work,
)
from service.doctor.look import Asked, Known, Look
from service.settings import Settings

OF_THE_HOUSE: Final[tuple[Look[Settings], ...]] = (
    Look("disk", ("disk", "recordings disk"), disk.room),
    Look("disk", ("recordings store",), disk.store, "see docs/operations/recordings.md", seconds=30),
    Look("work", ("transcription", "transcription speed"), work.model, seconds=180),
    Look("notices", ("notices by NAME",), notices.channels, "see docs/how_to/be_told.md", seconds=30),
    Look("crm", ("crm",), crm.owners, "see docs/how_to/connect_a_crm.md"),
    Look("security", ("certificate of NAME",), certificates.look, seconds=30),
    Look("security", ("files",), security.files),
    Look("security", ("secrets",), security.secrets),
    Look("security", ("ports",), security.ports),
)
"""What the settings alone lead to."""

OF_THE_DATABASE: Final[tuple[Look[Known], ...]] = (
    Look("disk", ("backup",), copies.age),
    Look("security", ("backup folder",), copies.place),
    Look("people", ("directory", "lines", "people"), people.directory),
    Look("people", ("logins",), people.logins),
    Look("security", ("passwords",), security.passwords, seconds=60),
    Look("people", ("calendars",), people.feeds),
    Look("people", ("people's notices",), people.addresses),
    Look("recordings", ("recordings",), people.recorded, seconds=60),
    Look("recordings", ("pbx NAME uploads",), people.uploads),
    Look("work", ("workers", "queues"), work.workers, seconds=60),
    Look("crm", ("crm NAME", "crm NAME people", "crm NAME limits", "crm NAME effects"), crm.connected, seconds=60),
)
"""What stands in the database."""

OF_A_PBX: Final[tuple[Look[Asked], ...]] = (
    Look("pbx", ("pbx NAME service", "pbx NAME clock"), pbx.service),
    Look("pbx", ("pbx NAME build",), pbx.version, "the manager user lacks write = reporting"),
    Look("pbx", ("pbx NAME rights", "pbx NAME calls out"), pbx.rights),
    Look("pbx", ("pbx NAME events",), pbx.events, "the manager user lacks write = call"),
    Look("pbx", ("pbx NAME dialplan",), features.dialplan),
    Look("pbx", ("pbx NAME overhearing", "pbx NAME consultations"), features.features),
    Look("pbx", ("pbx NAME trunks", "pbx NAME devices"), devices.look, "the manager user lacks write = reporting"),
    Look("cel", ("pbx NAME CEL", "pbx NAME cel_file", "pbx NAME CEL fields"), cel.look, seconds=30),
    Look("recordings", ("pbx NAME recordings",), pbx.recordings),
)
"""What each PBX is asked once it has let us in."""

PBX: Final = ("pbx", "pbx NAME")
"""That there is one, and that it lets us in, come before all that it is asked."""

NAMES: Final = (
    *database.NAMES,
    *PBX,
    *(name for looks in (OF_THE_HOUSE, OF_THE_DATABASE, OF_A_PBX) for look in looks for name in look.names),
)
"""Every check by name; NAME is a PBX, a connection, a channel or a place."""

TOPICS: Final = tuple(
    dict.fromkeys(
        ["database", *(look.topic for looks in (OF_THE_HOUSE, OF_THE_DATABASE, OF_A_PBX) for look in looks)],
    )
)

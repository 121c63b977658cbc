"""The PBX of the demo and the lab tests: the dialplan we ship, the company's phones and one trunk."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING

from service.asterisk import TRUNK, PrivateAsterisk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SHIPPED = ("switchhook.conf", "cel.conf", "cel_custom.conf")

PJSIP = """
[global]
type = global
; The trunk and the phones come from one address: a phone is known by its name, what is left is the trunk.
endpoint_identifier_order = username,ip

[udp]
type = transport
protocol = udp
bind = 127.0.0.1:{port}

[phone](!)
type = endpoint
transport = udp
context = from-phones
disallow = all
allow = alaw,ulaw
direct_media = no
language = {language}

[trunk]
type = endpoint
transport = udp
context = from-trunk
disallow = all
allow = alaw,ulaw
direct_media = no
aors = trunk
language = {language}

[trunk]
type = aor
contact = sip:127.0.0.1:{trunk_port}
qualify_frequency = 5
qualify_timeout = 4

[trunk]
type = identify
endpoint = trunk
match = 127.0.0.1
"""

PHONE = """
[{name}](phone)
auth = {name}
aors = {name}
callerid = "{shown}" <{number}>
set_var = DYNAMIC_FEATURES=switchhook-pause#switchhook-held
set_var = CHANNEL(dtmf_features)=T

[{name}]
type = auth
auth_type = userpass
username = {name}
password = {secret}

[{name}]
type = aor
max_contacts = 1
remove_existing = yes
qualify_frequency = 5
qualify_timeout = 4
"""

EXTENSIONS = """
[general]
static = yes
writeprotect = yes

[globals]
SWITCHHOOK_RECORDINGS={recordings}
SWITCHHOOK_TRUNK=PJSIP/trunk
{variables}

[from-trunk]
exten => _[+0-9]!,1,Goto(switchhook,${{FILTER(+0-9,${{EXTEN}})}},1)

[from-phones]
include => parkedcalls
include => switchhook-internal
{extra}

; Members of staff dial each other, pick up each other's calls (*8 and the number), transfer by phone, and dial out.
[switchhook-internal]
{numbers}
exten => _*8X!,1,Pickup(${{EXTEN:2}}@switchhook-internal)
exten => _[78]XXXXXXXXXX,1,Goto(switchhook-outbound,${{EXTEN}},1)

#include "switchhook.conf"
"""

MANAGER = """
[general]
enabled = yes
bindaddr = 127.0.0.1
port = {port}
timestampevents = yes
"""

FEATURES = """
[general]
featuredigittimeout = 2000
[featuremap]
atxfer => *2
blindxfer =>
[applicationmap]
switchhook-pause => *7,self,Gosub,"switchhook-pause,s,1"
switchhook-held => *9,self,Gosub,"switchhook-held,s,1",default
"""

PARKING = """
[general]
[default]
parkext => 700
parkpos => 701-720
context => parkedcalls
"""


@dataclass(frozen=True)
class Phone:
    """A device of a member of staff: PJSIP/<name>; `number` is what colleagues dial."""

    name: str
    number: str = ""
    shown: str = ""
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(16), repr=False)


class Pbx(PrivateAsterisk):
    """The company's PBX. Its trunk is the endpoint PJSIP/trunk at 127.0.0.1:`trunk_port`."""

    ami_username = "switchhook"
    more_modules: tuple[str, ...] = ("res_cdrel_custom", "cel_custom")

    def __init__(
        self,
        phones: Sequence[Phone],
        *,
        folder: Path | None = None,
        language: str = "ru",
        variables: Mapping[str, str] | None = None,
        extra_files: Mapping[str, str] | None = None,
        internal: str = "",
    ) -> None:
        """`variables`: dialplan globals; `extra_files`: more configuration; `internal`: lines of [from-phones]."""
        super().__init__("pbx", folder=folder)
        self.phones = tuple(phones)
        self.ami_secret = secrets.token_urlsafe(16)
        self._language = language
        self._variables = dict(variables or {})
        self._extra_files = dict(extra_files or {})
        self._internal = internal

    @property
    def trunk_port(self) -> int:
        """UDP port of the outside world, kept free for it beside our own."""
        return self.ports.first + TRUNK

    def configuration(self) -> dict[str, str]:
        """All files beyond the basics: the shipped ones as they are, with the phones and a generated AMI secret."""
        shipped = files("telephony") / "dialplan"
        manager = (shipped / "manager.conf").read_text().replace("@SECRET@", self.ami_secret)
        return (
            {name: (shipped / name).read_text() for name in SHIPPED}
            | {
                "manager.conf": MANAGER.format(port=self.ami_port) + manager,
                "pjsip.conf": self._pjsip(),
                "extensions.conf": self._extensions(),
                "queues.conf": "[general]\n",
                "musiconhold.conf": "[general]\n",
                "res_parking.conf": PARKING,
                "features.conf": FEATURES,
            }
            | self._extra_files
        )

    def _pjsip(self) -> str:
        phones = "".join(
            PHONE.format(name=one.name, number=one.number or one.name, shown=one.shown or one.name, secret=one.secret)
            for one in self.phones
        )
        return PJSIP.format(port=self.sip_port, trunk_port=self.trunk_port, language=self._language) + phones

    def _extensions(self) -> str:
        numbers = [f"exten => {one.number},1,Dial(PJSIP/{one.name},30)" for one in self.phones if one.number]
        numbers += [f"exten => {one.number},hint,PJSIP/{one.name}" for one in self.phones if one.number]
        return EXTENSIONS.format(
            recordings=self.recordings,
            variables="\n".join(f"{name}={value}" for name, value in self._variables.items()),
            numbers="\n".join(numbers),
            extra=self._internal,
        )

"""The PBX that scenarios play on: an ordinary Asterisk office, with the dialplan that we ship beside plain ones.

Many scenarios play on one PBX at once, each in a place of its own with its own telephones, numbers, lines and lots.
Place 0 has the plain names that tapes tell: m1 (101), m2 (102), trunk, line 500, queue sales.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from typing import Any

from service.asterisk import TRUNK, PrivateAsterisk

PHONES = 5
"""Telephones of staff in each place: m1 to m5; m5 is never registered."""

_WORD = re.compile(r"(?<![\w.])(m[1-9]|trunk|sales|meeting|lot|office)(?![\w.])")
_EXTENSION = re.compile(r"(?<![\w.+$])([1-9])(\d\d)(?![\w.])")

PJSIP = """
[global]
type = global
endpoint_identifier_order = username,ip

[udp]
type = transport
protocol = udp
bind = 127.0.0.1:{port}

[party](!)
type = endpoint
transport = udp
disallow = all
allow = alaw,ulaw
direct_media = no
"""

OUTSIDE = """
[trunk](party)
context = from-trunk
aors = trunk
set_var = __TRUNK=trunk
set_var = __SWITCHHOOK_TRUNK=PJSIP/trunk
set_var = CHANNEL(parkinglot)=lot
set_var = RECORD={record}

[trunk]
type = aor
contact = sip:{ip}:{port}

[trunk]
type = identify
endpoint = trunk
match = {ip}
"""

PHONE = """
[{phone}](party)
context = from-phones
auth = {phone}
aors = {phone}
callerid = "Менеджер {number}" <10{number}>
named_call_group = office
named_pickup_group = office
set_var = __TRUNK=trunk
set_var = __SWITCHHOOK_TRUNK=PJSIP/trunk
set_var = CHANNEL(parkinglot)=lot
set_var = RECORD={record}

[{phone}]
type = auth
auth_type = userpass
username = {phone}
password = {secret}

[{phone}]
type = aor
max_contacts = 1
remove_existing = yes
"""

EXTENSIONS = """
[general]
static = yes
writeprotect = yes

[globals]
SWITCHHOOK_RECORDINGS={recordings}
RECORDINGS={recordings}

[from-trunk]
[from-phones]
include => parkedcalls
exten => _[78]XXXXXXXXXX,1,{way_out}
 same => n,Hangup()

#include "switchhook.conf"
"""

WAY_OUT = """{record}
 same => n,Dial(PJSIP/${{EXTEN}}@${{TRUNK}},20,tTkK)"""

OURS = "Gosub(switchhook-record,s,1(caller,staff))"
"""Recorded by the dialplan that we ship, which does it once a channel."""

# Whoever is called there is recorded, unless the one who is sent on to them is already.
WAY_OUT_BY_OURS = (
    'Set(OPTIONS=${IF($["${SWITCHHOOK_RECORDED}" != "" | "${CHANNEL(channeltype)}" = "Local"]'
    "?:b(switchhook-record^s^1(caller^staff)))})\n same => n,Dial(PJSIP/${EXTEN}@${TRUNK},20,tTkK${OPTIONS})"
)

RECORD_PHONES = 'ExecIf($["${RECORD}" = "yes"]?MixMonitor(${RECORDINGS}/${UNIQUEID}.wav))'

# An extension that begins with its Dial() is told by no event when the channel comes from another Dial(), as a
# transferred one does: Newexten still shows the old application (seen on Asterisk 22.10).
NUMBERS = """
[from-phones]
exten => 101,1,{record}
 same => n,Dial(PJSIP/m1,20,tTkK)
 same => n,Hangup()
exten => 102,1,{record}
 same => n,Dial(PJSIP/m2,20,tTkK)
 same => n,Hangup()
exten => 103,1,{record}
 same => n,Dial(PJSIP/m3,20,tTkK)
 same => n,Hangup()
exten => 104,1,{record}
 same => n,Dial(PJSIP/m4,20,tTkK)
 same => n,Hangup()
exten => 105,1,{record}
 same => n,Dial(PJSIP/m5,20,tTkK)
 same => n,Hangup()
"""

LOT = """
[lot]
parkext => 700
parkpos => 701-720
context => parkedcalls
parkingtime => 3
comebacktoorigin => yes
comebackdialtime => 3
parkedcalltransfers => both
parkedcallreparking => both
"""

FEATURES = """
; Whoever a transfer reaches hears a beep (0.4 s), and whom it failed a longer one; what they say then nobody hears.
[general]
featuredigittimeout = 2000
transferdigittimeout = 2
atxfernoanswertimeout = 6
atxferdropcall = no
atxfercallbackretries = 1
atxferloopdelay = 1
pickupexten = *8
atxferabort = *1
atxfercomplete = *2
xfersound =
xferfailsound =
atxferthreeway = *3
[featuremap]
blindxfer => #1
atxfer => *2
parkcall => #72
"""

MANAGER = """
[general]
enabled = yes
bindaddr = 127.0.0.1
port = {port}
timestampevents = yes

; Hears all there is: what the shipped user may not hear is left out by the tests that are about it.
[{user}]
secret = {secret}
read = all
write = all
eventfilter = !Event: RTCP.*
eventfilter = !Event: TestEvent
"""

CEL = "[general]\nenable=yes\napps=dial,queue,park,voicemail,mixmonitor,confbridge\nevents=ALL\n"


@dataclass(frozen=True)
class Place:
    """Where one scenario plays; turns the plain names of scenarios into those of this place, and back."""

    number: int = 0

    def ip(self, net: str = "127.0.0") -> str:
        """Where its telephones are."""
        return f"{net}.{self.number + 10}"

    def own(self, text: str) -> str:
        """`text` with the names of this place; extensions are its whole numbers of three digits."""
        if not self.number:
            return text
        text = _WORD.sub(rf"\1x{self.number:02}", text)
        return _EXTENSION.sub(rf"\g<1>{self.number:02}\2", text)

    def plain(self, value: Any) -> Any:
        """`value` (text, or lists and dictionaries of it) with plain names again."""
        if not self.number or not isinstance(value, str | list | tuple | dict):
            return value
        if isinstance(value, str):
            text = re.sub(rf"(m[1-9]|trunk|sales|meeting|lot|office)x{self.number:02}\b", r"\1", value)
            return re.sub(rf"(?<![\w.+])([1-9]){self.number:02}(\d\d)(?![\w.])", r"\1\2", text)
        if isinstance(value, dict):
            return {key: self.plain(one) for key, one in value.items()}
        return type(value)(self.plain(one) for one in value)


@dataclass(frozen=True)
class Rules:
    """What the PBX does in one place, in plain names."""

    place: Place
    dialplan: str = ""
    queues: str = ""
    record_phones: bool = False
    secret: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)


def recorded_by_ours(rules: Rules) -> Rules:
    """The same rules, but that every talk is recorded, as a client's is in a house of ours."""
    plan = re.sub(r"MixMonitor\([^)]*\)", OURS, rules.dialplan)
    plan = plan.replace("exten => 500,1,Dial", f"exten => 500,1,{OURS}\n same => n,Dial")
    plan = plan.replace("same => n,Goto(switchhook-plan", f"same => n,{OURS}\n same => n,Goto(switchhook-plan")
    return replace(rules, dialplan=plan)


class ScenarioPbx(PrivateAsterisk):
    """An Asterisk for these places."""

    ami_username = "tape"
    more_modules = ("res_cdrel_custom", "cel_custom", "app_confbridge", "app_voicemail")

    def __init__(self, rules: Sequence[Rules], *, recorded: bool = False) -> None:
        """Nothing is started yet. `recorded`: what telephones dial is recorded by our dialplan, whatever it is."""
        super().__init__("scenarios")
        self.rules = tuple(rules)
        self._record = OURS if recorded else RECORD_PHONES
        # People who speak take their time.
        self._lot = LOT.replace("parkingtime => 3", "parkingtime => 6") if recorded else LOT
        self._way_out = WAY_OUT_BY_OURS if recorded else WAY_OUT.format(record=RECORD_PHONES)
        self.ami_secret = secrets.token_urlsafe(16)

    @property
    def telephone_port(self) -> int:
        """UDP port of the telephones, each place at its own address."""
        return self.ports.first + TRUNK

    def configuration(self) -> dict[str, str]:
        """The shipped dialplan as it is, and a plain office around it."""
        shipped = files("telephony") / "dialplan"
        return {
            **{name: (shipped / name).read_text() for name in ("switchhook.conf", "cel_custom.conf")},
            "cel.conf": CEL,
            "manager.conf": MANAGER.format(port=self.ami_port, user=self.ami_username, secret=self.ami_secret),
            "pjsip.conf": PJSIP.format(port=self.sip_port) + self._each(self._parties),
            "extensions.conf": EXTENSIONS.format(recordings=self.recordings, way_out=self._way_out)
            + self._each(self._dialplan),
            "queues.conf": "[general]\n" + self._each(lambda one: one.place.own(one.queues)),
            "res_parking.conf": "[general]\n[default]\ncontext => parkedcalls-of-nobody\n"
            + self._each(lambda one: one.place.own(self._lot)),
            "voicemail.conf": "[general]\nformat = wav\n[default]\n" + self._each(self._boxes),
            "features.conf": FEATURES,
            "musiconhold.conf": "[general]\n",
            "confbridge.conf": "[general]\n[quiet]\ntype = user\nquiet = yes\nmusic_on_hold_when_empty = no\n",
        }

    def _each(self, text: Callable[[Rules], str]) -> str:
        return "\n".join(text(one) for one in self.rules)

    def _parties(self, one: Rules) -> str:
        record = "yes" if one.record_phones else "no"
        outside = OUTSIDE.format(ip=one.place.ip(), port=self.telephone_port, record=record)
        phones = "".join(
            PHONE.format(phone=f"m{number}", number=number, secret=one.secret, record=record)
            for number in range(1, PHONES + 1)
        )
        return one.place.own(outside + phones)

    def _dialplan(self, one: Rules) -> str:
        return one.place.own(NUMBERS.format(record=self._record) + one.dialplan)

    def _boxes(self, one: Rules) -> str:
        return one.place.own("101 => 0000,Manager\n")

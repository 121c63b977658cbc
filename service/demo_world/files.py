"""Configuration of the outside Asterisk: the carrier's side of the trunk, and the phones as clients of the PBX."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from service.pbx import Phone

PJSIP = """
[global]
type = global
endpoint_identifier_order = ip,username

[udp]
type = transport
protocol = udp
bind = 127.0.0.1:{own_port}

[client](!)
type = endpoint
transport = udp
context = telephones
disallow = all
allow = alaw,ulaw
direct_media = no
; The PBX tells who calls in From; who is connected later is nobody's business here.
send_pai = no

[trunk](client)
aors = trunk

[trunk]
type = aor
contact = sip:127.0.0.1:{pbx_port}

[trunk]
type = identify
endpoint = trunk
match = 127.0.0.1
"""

PHONE = """
[{name}](client)
aors = {name}
outbound_auth = {name}
from_user = {name}

[{name}]
type = auth
auth_type = userpass
username = {name}
password = {secret}

[{name}]
type = aor
contact = sip:127.0.0.1:{pbx_port}

[line-{name}]
type = registration
transport = udp
outbound_auth = {name}
server_uri = sip:127.0.0.1:{pbx_port}
client_uri = sip:{name}@127.0.0.1:{pbx_port}
contact_user = {name}
retry_interval = 2
forbidden_retry_interval = 2
fatal_retry_interval = 2
expiration = 600
; By itself Asterisk spreads its first registrations over ten seconds.
max_random_initial_delay = 0
"""

EXTENSIONS = """
[general]
static = yes
writeprotect = yes

[globals]

; A phone or a mobile rings: what it does is in the global variables PHONE_<name>_*.
[telephones]
exten => T,1,Hangup()
exten => _[+0-9a-zA-Z]!,1,Set(WHO=${FILTER(+0-9A-Za-z_\\x2d,${EXTEN})})
 same => n,Set(MODE=${PHONE_${WHO}_MODE})
 same => n,UserEvent(PhoneRings,Phone: ${WHO},From: ${CALLERID(num)})
 same => n,GotoIf($["${MODE}" = "busy"]?busy)
 same => n,GotoIf($["${MODE}" = "" & "${WHO:0:1}" = "7"]?unknown)
 same => n,Ringing()
 same => n,ExecIf($["${MODE}" = "ring" | "${MODE}" = ""]?Wait(600))
 same => n,ExecIf($["${PHONE_${WHO}_AFTER}" != ""]?Wait(${PHONE_${WHO}_AFTER}))
 same => n,GotoIf($["${MODE}" = "reject"]?reject)
 same => n,Answer()
 same => n,UserEvent(PhoneAnswers,Phone: ${WHO},From: ${CALLERID(num)})
 same => n,ExecIf($["${PHONE_${WHO}_HANGUP}" != ""]?Set(TIMEOUT(absolute)=${PHONE_${WHO}_HANGUP}))
 same => n,ExecIf($["${PHONE_${WHO}_DIGIT}" != ""]?Wait(${PHONE_${WHO}_DIGIT_AFTER}))
 same => n,ExecIf($["${PHONE_${WHO}_DIGIT}" != ""]?SendDTMF(${PHONE_${WHO}_DIGIT}))
 same => n,Set(SCRIPT=${PHONE_${WHO}_SCRIPT})
 same => n,Gosub(speak,s,1)
 same => n,ExecIf($["${PHONE_${WHO}_TRANSFER}" != ""]?Transfer(PJSIP/${PHONE_${WHO}_TRANSFER}))
 same => n,Wait(3600)
 same => n(busy),Hangup(17)
 same => n(reject),Hangup(21)
 same => n(unknown),Hangup(1)

; A caller, or a phone that dialled, once the other end has answered.
[talker]
exten => s,1,ExecIf($["${HANGUP}" != ""]?Set(TIMEOUT(absolute)=${HANGUP}))
 same => n,Gosub(speak,s,1)
 same => n,ExecIf($["${STAY}" = ""]?Hangup())
 same => n,Wait(3600)

; Say SCRIPT: p=<prompt> and w=<seconds of silence>, joined by colons.
[speak]
exten => s,1,GotoIf($["${SCRIPT}" = ""]?end)
 same => n,Set(TURN=${CUT(SCRIPT,:,1)})
 same => n,Set(SCRIPT=${CUT(SCRIPT,:,2-)})
 same => n,ExecIf($["${TURN:0:1}" = "p"]?Playback(${TURN:2}):Wait(${TURN:2}))
 same => n,Goto(1)
 same => n(end),Return()
"""

MANAGER = """
[general]
enabled = yes
bindaddr = 127.0.0.1
port = {port}
timestampevents = yes

[world]
secret = {secret}
read = call,user,system
write = call,originate,reporting,system
"""


def pjsip(own_port: int, pbx_port: int, phones: Iterable[Phone]) -> str:
    """pjsip.conf: the trunk and a client for each phone."""
    clients = "".join(PHONE.format(name=one.name, secret=one.secret, pbx_port=pbx_port) for one in phones)
    return PJSIP.format(own_port=own_port, pbx_port=pbx_port) + clients

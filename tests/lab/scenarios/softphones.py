"""A process of real SIP telephones (PJSIP) that do what JSON lines tell them.

`python -m tests.lab.scenarios.softphones IP PORT PBX`: commands come on stdin, `{"id": 1, "do": "dial", …}`; on stdout
goes one answer for each, `{"id": 1, "error": null, …}`, and what the telephones notice.
PJSIP has threads and asserts of its own, so it never runs in the tests' process. The wheel is built for 4 calls and 8
accounts a process: a scenario has a process to itself. PJSIP_LOG=5 in the environment prints all SIP on stdout.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
from typing import Any

import pjsua2 as pj

POLL_MILLISECONDS = 10
_USER = re.compile(r"sips?:([^@>;]*)@")


def tell(**fields: Any) -> None:
    """One line to whoever steers the telephones."""
    sys.stdout.write(json.dumps(fields, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def user_of(uri: str) -> str:
    """The user in `"Name" <sip:user@host>`."""
    found = _USER.search(uri)
    return found[1] if found else ""


class Call(pj.Call):  # type: ignore[misc]  # pjsua2 ships no types
    """One call at one telephone; tells each step of its life."""

    def __init__(self, telephones: Telephones, account: pj.Account, number: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(account, number)
        self.telephones = telephones
        self.key = telephones.keep(self)
        self.phone = ""
        self._speaker: Any = None

    def speak(self, file: str) -> bool:
        """Say what is in a WAV file to whoever is at the other end; False where nobody is, or somebody is on hold."""
        info = self.getInfo()
        media = [one for one in info.media if one.status == pj.PJSUA_CALL_MEDIA_ACTIVE]
        if info.state != pj.PJSIP_INV_STATE_CONFIRMED or not media:
            return False
        self._speaker = pj.AudioMediaPlayer()
        self._speaker.createPlayer(file, pj.PJMEDIA_FILE_NO_LOOP)
        self._connect(media[0].index)
        tell(call=self.key, event="spoke", phone=self.phone, at=time.time())
        return True

    def _connect(self, index: int) -> None:
        """Let the other end hear what is being said; each new negotiation of the sound makes another end of it."""
        self._speaker.startTransmit(self.getAudioMedia(index))

    def onCallState(self, _: Any) -> None:  # noqa: N802 - PJSIP's name
        info = self.getInfo()
        if info.state == pj.PJSIP_INV_STATE_EARLY:
            tell(call=self.key, event="ringing", code=info.lastStatusCode)
        elif info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            tell(call=self.key, event="answered")
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            tell(call=self.key, event="ended", code=info.lastStatusCode)
            self.telephones.forget(self)

    def onCallMediaState(self, _: Any) -> None:  # noqa: N802 - PJSIP's name
        info = self.getInfo()  # kept: its media are freed with it
        active = [one.index for one in info.media if one.status == pj.PJSUA_CALL_MEDIA_ACTIVE]
        if self._speaker is not None and active:
            self._connect(active[0])
        tell(call=self.key, event="media", held=any(one.status == pj.PJSUA_CALL_MEDIA_LOCAL_HOLD for one in info.media))

    def onCallTransferStatus(self, parameters: Any) -> None:  # noqa: N802 - PJSIP's name
        # A phone whose transfer succeeded hangs up; the PBX may have been faster.
        if parameters.statusCode // 100 == 2 and self.key in self.telephones.calls:
            self.hangup(status(0))


class Account(pj.Account):  # type: ignore[misc]  # pjsua2 ships no types
    """A telephone's identity."""

    def __init__(self, telephones: Telephones, user: str) -> None:
        super().__init__()
        self.telephones = telephones
        self.user = user

    def onRegState(self, parameters: Any) -> None:  # noqa: N802 - PJSIP's name
        tell(phone=self.user, event="registered", code=parameters.code, seconds=parameters.expiration)

    def onIncomingCall(self, parameters: Any) -> None:  # noqa: N802 - PJSIP's name
        call = Call(self.telephones, self, parameters.callId)
        info = call.getInfo()
        phone = call.phone = user_of(info.localUri)
        code = self.telephones.behaviours.get(phone, pj.PJSIP_SC_RINGING)
        tell(call=call.key, event="rings", phone=phone)
        call.answer(status(code))


def status(code: int, **headers: str) -> pj.CallOpParam:
    """The parameters of an answer, or of an end, with that SIP status."""
    told = pj.CallOpParam(True)
    told.statusCode = code
    told.opt.videoCount = 0
    for name, value in headers.items():
        header = pj.SipHeader()
        header.hName, header.hValue = name, value
        told.txOption.headers.append(header)
    return told


class Telephones:
    """All telephones of this process, at one address."""

    def __init__(self, ip: str, port: int, pbx: str) -> None:
        self.ip, self.port, self.pbx = ip, port, pbx
        self.behaviours: dict[str, int] = {}
        self._accounts: dict[str, Account] = {}
        self.calls: dict[int, Call] = {}
        self._made = 0
        self._endpoint = pj.Endpoint()
        self._start()

    def _start(self) -> None:
        settings = pj.EpConfig()
        settings.logConfig.level = settings.logConfig.consoleLevel = int(os.environ.get("PJSIP_LOG", "0"))
        settings.uaConfig.threadCnt = 0
        settings.uaConfig.mainThreadOnly = True
        settings.medConfig.noVad = True
        settings.medConfig.sndAutoCloseTime = -1  # without its clock nothing is sent, not even pressed keys
        self._endpoint.libCreate()
        self._endpoint.libInit(settings)
        self._endpoint.audDevManager().setNullDev()
        place = pj.TransportConfig()
        place.port, place.boundAddress, place.publicAddress = self.port, self.ip, self.ip
        self._endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, place)
        self._endpoint.libStart()
        # Whoever is called without having registered: the outside world behind the trunk.
        self._account("outside", "outside")

    def keep(self, call: Call) -> int:
        """Remember the call; returns its number, which no other call of this process gets."""
        self._made += 1
        self.calls[self._made] = call
        return self._made

    def forget(self, call: Call) -> None:
        """The call is over."""
        self.calls.pop(call.key, None)

    def run(self) -> None:
        """Until stdin ends."""
        tell(event="ready")
        os.set_blocking(0, False)
        waiting = b""
        while True:
            self._endpoint.libHandleEvents(POLL_MILLISECONDS)
            with contextlib.suppress(BlockingIOError):
                read = os.read(0, 65536)
                if not read:
                    return
                *lines, waiting = (waiting + read).split(b"\n")
                for line in lines:
                    self._obey(json.loads(line))

    def _obey(self, command: dict[str, Any]) -> None:
        number, verb = command.pop("id"), command.pop("do")
        try:
            tell(id=number, error=None, **(getattr(self, verb)(**command) or {}))
        except (pj.Error, KeyError) as error:
            tell(id=number, error=error.info() if isinstance(error, pj.Error) else f"no call {error}")

    def behave(self, phone: str, code: int) -> None:
        """From the next call on the telephone answers with that SIP status: 180 rings, 486 is busy."""
        self.behaviours[phone] = code

    def register(self, phone: str, secret: str) -> None:
        """Register at the PBX as `phone`."""
        self._account(phone, phone, secret=secret)

    def dial(self, by: str, number: str, name: str = "") -> dict[str, int]:
        """Telephone `by` (an outside number unless it registered) dials `number`."""
        call = Call(self, self._account(by, name))
        call.phone = by
        call.makeCall(f"sip:{number}@{self.pbx}", status(0))
        return {"call": call.key}

    def answer(self, call: int, code: int = 200) -> None:
        """Answer, or refuse with a SIP status."""
        self.calls[call].answer(status(code))

    def forward(self, call: int, number: str) -> None:
        """Answer with a 302 to `number`."""
        self.calls[call].answer(status(302, Contact=f"<sip:{number}@{self.pbx}>"))

    def hangup(self, call: int) -> None:
        """Hang up, or give up."""
        self.calls[call].hangup(status(0))

    def hold(self, call: int) -> None:
        """Put the other side on hold by a re-INVITE."""
        self.calls[call].setHold(status(0))

    def resume(self, call: int) -> None:
        """Take the other side off hold."""
        told = status(0)
        told.opt.flag = pj.PJSUA_CALL_UNHOLD
        self.calls[call].reinvite(told)

    def refer(self, call: int, number: str) -> None:
        """Transfer the other side to `number`, without asking there."""
        self.calls[call].xfer(f"<sip:{number}@{self.pbx}>", status(0))

    def refer_to_call(self, call: int, other: int) -> None:
        """Transfer the other side of `call` to the other side of `other` (REFER with Replaces)."""
        told = status(0)
        told.options = 0
        self.calls[call].xferReplaces(self.calls[other], told)

    def press(self, call: int, keys: str) -> None:
        """Press keys (RFC 4733)."""
        self.calls[call].dialDtmf(keys)

    def speak(self, voices: dict[str, str]) -> dict[str, int]:
        """Everybody who is in a call says what their voice says; `voices`: WAV files by telephone."""
        calls = [call for call in self.calls.values() if call.phone in voices]
        return {"speakers": sum(call.speak(voices[call.phone]) for call in calls)}

    def _account(self, user: str, name: str, secret: str = "") -> Account:
        if user in self._accounts:
            return self._accounts[user]
        account = self._accounts[user] = Account(self, user)
        settings = pj.AccountConfig()
        settings.idUri = f'"{name}" <sip:{user}@{self.ip}>'
        settings.videoConfig.autoTransmitOutgoing = False
        settings.mediaConfig.transportConfig.boundAddress = self.ip
        settings.mediaConfig.transportConfig.port = 0
        settings.mwiConfig.enabled = False
        if secret:
            settings.regConfig.registrarUri = f"sip:{self.pbx}"
            settings.regConfig.registerOnAdd = True
            settings.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", user, 0, secret))
        account.create(settings, not self._accounts)
        return account


if __name__ == "__main__":
    Telephones(sys.argv[1], int(sys.argv[2]), sys.argv[3]).run()
    # PJSIP's own farewell takes a second, and whoever steers us has gone.
    os._exit(0)

"""What a phone does when it rings."""

from __future__ import annotations

from dataclasses import dataclass

from service.demo_world.speech import STAFF, Speech, script


@dataclass(frozen=True)
class Behaviour:
    """How a phone takes a call. Times in seconds; `digit` is pressed after answering; `transfer_to` by SIP REFER."""

    mode: str
    after: float = 0.0
    speak: Speech = ()
    hangup_after: float | None = None
    transfer_to: str = ""
    digit: str = ""
    digit_after: float = 0.4

    def variables(self, phone: str, peer: str) -> dict[str, str]:
        """The outside dialplan's globals that say this of `phone`; `peer` is the PBX's host:port."""
        return {
            f"PHONE_{phone}_MODE": self.mode,
            f"PHONE_{phone}_AFTER": str(self.after),
            f"PHONE_{phone}_SCRIPT": script(self.speak),
            f"PHONE_{phone}_HANGUP": "" if self.hangup_after is None else str(self.hangup_after),
            f"PHONE_{phone}_TRANSFER": f"sip:{self.transfer_to}@{peer}" if self.transfer_to else "",
            f"PHONE_{phone}_DIGIT": self.digit,
            f"PHONE_{phone}_DIGIT_AFTER": str(self.digit_after),
        }


def answer(
    after: float = 1.0,
    *,
    speak: Speech = STAFF,
    hangup_after: float | None = None,
    transfer_to: str = "",
    confirm: bool | None = None,
    confirm_after: float = 0.4,
) -> Behaviour:
    """Ring for `after` seconds, answer, speak; then transfer blindly, or listen until somebody hangs up.

    `confirm` is for a mobile asked to press 1: True presses 1, False presses 2, None nothing (as a mailbox does);
    `confirm_after` seconds after answering.
    """
    digit = {True: "1", False: "2", None: ""}[confirm]
    return Behaviour("answer", after, speak, hangup_after, transfer_to, digit, confirm_after)


def ring_out() -> Behaviour:
    """Ring for ever."""
    return Behaviour("ring")


def busy() -> Behaviour:
    """Say busy (SIP 486)."""
    return Behaviour("busy")


def reject(after: float = 0.0) -> Behaviour:
    """Ring for `after` seconds, then decline (SIP 603 or 403, as Asterisk maps it)."""
    return Behaviour("reject", after)

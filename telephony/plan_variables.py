"""A routing plan as the channel variables that `dialplan/switchhook.conf` reads, or a refusal; nothing in between.

What a directory or a database says becomes part of a `Dial()`; so each value must match the one pattern of its kind.
The dialplan filters once more, but by then a wrong value could only be cut, not refused.
"""

import math
import re
from collections.abc import Sequence
from typing import Final, Protocol

GO: Final = "SWITCHHOOK_GO"
"""The variable the waiting channel looks at; set last."""

TAKE: Final = "SWITCHHOOK_TAKE"
"""The variable that a holding channel looks at: somebody is free for its caller."""

SEND: Final = "SWITCHHOOK_SEND"
"""The variable that says where a client goes who is sent on to a colleague; see [switchhook-send]."""

CONSULT: Final = "SHARED(SWITCHHOOK_CONSULT)"
"""The variable that says who is consulted before a client is handed over; see [switchhook-consult]."""

OUTSIDE: Final = "out"
"""Stands for what rings, of SEND and CONSULT, where it is the number outside that is dialled."""

OUT: Final = "SWITCHHOOK_OUT"
"""The variable that says whether a call out may be made; see [switchhook-outbound]."""

STEPS_MOST: Final = 20
SECONDS_MOST: Final = 3600
_VALUE_BYTES_MOST: Final = 900  # with its header below AMI's line of 1,024 bytes

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.+-]*"
_DIAL: Final = re.compile(
    rf"(?:(?!Local/)[A-Za-z][A-Za-z0-9]*/{_NAME}(?:@{_NAME})?|Local/\+?[0-9]{{2,20}}"
    rf"(?:@switchhook-outside/n|(?:\*[0-9]{{1,3}}(?:\*caller)?)?@switchhook-mobile/n))\Z"
)
_KEY = r"[a-z0-9][a-z0-9_-]{0,63}"
_PATTERNS: Final = {
    "ring": _DIAL,
    "queue": re.compile(rf"{_NAME}\Z"),
    "hold": re.compile(rf"{_KEY}\Z"),
    "voicemail": re.compile(rf"(?:{_KEY}|{_NAME}@{_NAME})\Z"),
    "message": re.compile(rf"{_NAME}(?:/{_NAME})*\Z"),
    "reject": re.compile(r"(?:busy|congestion|declined|unallocated)\Z"),
}
_SINGLE: Final = frozenset({"queue", "hold", "voicemail", "reject"})
_LINE: Final = re.compile(r"(?:[0-9]{1,20}|s|default)\Z")
_NUMBER: Final = re.compile(r"[0-9]{2,15}\Z")
_DIALLED: Final = re.compile(r"\+?[0-9]{1,31}\Z")
_LANGUAGE_NAME: Final = r"[a-z]{2,3}(?:_[A-Za-z]{2,4})?"
_LANGUAGE: Final = re.compile(rf"{_LANGUAGE_NAME}\Z")
_TRUNK: Final = re.compile(rf"[A-Za-z][A-Za-z0-9]*/{_NAME}\Z")
_OF_LINE: Final = {
    "TRUNK": _TRUNK,
    "LANGUAGE": _LANGUAGE,
    "EMERGENCY": re.compile(r"(?:[0-9]{2,20}|none)\Z"),
    "CONSENT": re.compile(rf"(?:none|{_NAME}(?:[/&]{_NAME})*@[0-9*]?)\Z"),
    "CALLED": re.compile(rf"(?:none|{_NAME}(?:[/&]{_NAME})*@[0-9*]?@(?:{_LANGUAGE_NAME})?)\Z"),
    "SHOWN": re.compile(r"[0-9]{1,20}\Z"),
    "DESTINATIONS": re.compile(r"/(?:[0-9]{1,15}[-+*]/)*\Z"),
    "DIALLING": re.compile(r"[0-9]{1,3}_[0-9]{0,4}_[0-9]{0,4}(?:_[0-9]{1,2})?\Z"),
}
"""What a global variable of a line, or of all, may hold by its kind."""


class UnsafeDialError(ValueError):
    """A value that must not reach the dialplan; the text says whose and why, and not the value: it may be a number."""


class Target(Protocol):
    """Where a step goes: `dial` is `PJSIP/anna-desk`, `Local/79160000011*18@switchhook-mobile/n`, a queue, a prompt,
    the team that a hold is for, a box of voicemail, the word of a refusal …
    """

    @property
    def dial(self) -> str:
        """The target in the form of its step's kind."""


class Step(Protocol):
    """One step of a plan: its kind, its targets at once, and how long at most."""

    @property
    def kind(self) -> str:
        """ring, queue, hold, voicemail, message or reject."""

    @property
    def targets(self) -> Sequence[Target]:
        """Where to, all at once; one where several make no sense, as for queue and voicemail."""

    @property
    def seconds(self) -> float:
        """How long at most."""


def variables(steps: Sequence[Step], *, language: str = "", trunk: str = "") -> list[tuple[str, str]]:
    """The variables of a plan in the order to write them: the steps but the first, then `SWITCHHOOK_GO` with the first.

    Raises:
        UnsafeDialError: a value does not match its kind's pattern, or the plan is empty or too long.

    """
    if not 0 < len(steps) <= STEPS_MOST:
        raise UnsafeDialError(f"a plan of {len(steps)} steps; 1 to {STEPS_MOST} can be handed over")
    for value, pattern, name in ((language, _LANGUAGE, "language"), (trunk, _TRUNK, "trunk")):
        if value:
            _matching(value, pattern, name)
    # Each variable costs the PBX an action, so a step is one, and the usual plan, of one step, is the last word alone.
    first, *later = [f"{step.kind}|{_seconds(step.seconds)}|{dial_string(step)}" for step in steps]
    return [
        *((f"SWITCHHOOK_{number}", step) for number, step in enumerate(later, 2)),
        (GO, f"{len(steps)}|{language}|{trunk}|{first}"),
    ]


def take_variable(step: Step, *, trunk: str = "") -> tuple[str, str]:
    """The variable that has a holding channel ring somebody who is free; raises UnsafeDialError."""
    if step.kind != "ring":
        raise UnsafeDialError(f"a step of kind {step.kind!r} takes nobody out of hold")
    if trunk:
        _matching(trunk, _TRUNK, "trunk")
    return TAKE, f"{_seconds(step.seconds)}|{trunk}|{dial_string(step)}"


def send_variable(dial: str, *, seconds: float, trunk: str = "", back: str = "") -> tuple[str, str]:
    """The variable that has a client who is sent on ring `dial`, and then `back`, if any.

    `dial` OUTSIDE rings the number outside that is dialled. Raises UnsafeDialError.
    """
    return SEND, "|".join([_reach(dial, seconds, trunk), _matching(back, _DIAL, "device") if back else ""])


def consult_variable(dial: str, *, seconds: float, trunk: str = "") -> tuple[str, str]:
    """The variable that has `dial` consulted; with OUTSIDE the number that is dialled is. Raises UnsafeDialError."""
    return CONSULT, _reach(dial, seconds, trunk)


def _reach(dial: str, seconds: float, trunk: str) -> str:
    if trunk:
        _matching(trunk, _TRUNK, "trunk")
    return "|".join([_seconds(seconds), trunk, dial if dial == OUTSIDE else _matching(dial, _DIAL, "device")])


def dial_string(step: Step) -> str:
    """The targets of one step in the form its application reads; raises UnsafeDialError."""
    pattern = _PATTERNS.get(step.kind)
    if pattern is None:
        raise UnsafeDialError(f"the dialplan knows no step of kind {step.kind!r}")
    if not step.targets or (step.kind in _SINGLE and len(step.targets) > 1):
        raise UnsafeDialError(f"a step of kind {step.kind} with {len(step.targets)} targets")
    for target in step.targets:
        if not pattern.match(target.dial):
            raise UnsafeDialError(f"the {_name(step.kind, target)} is of no safe form")
    return _joined([target.dial for target in step.targets])


def allow_out(dialled: str, number: str, *, shown: str = "", trunk: str = "") -> str:
    """The value of `SWITCHHOOK_OUT` that has `number` rung for who dialled `dialled`. Raises UnsafeDialError."""
    if shown:
        _matching(shown, _OF_LINE["SHOWN"], "number shown")
    if trunk:
        _matching(trunk, _TRUNK, "trunk")
    judged, asked = _matching(number, _NUMBER, "number"), _matching(dialled, _DIALLED, "number as dialled")
    return f"allow|{shown}|{trunk}|{judged}|{asked}"


def refuse_out(dialled: str) -> str:
    """The value of `SWITCHHOOK_OUT` that refuses who dialled `dialled`. Raises UnsafeDialError."""
    return f"refuse||||{_matching(dialled, _DIALLED, 'number as dialled')}"


def person_variables(dial: str, *, line: str, trunk: str) -> tuple[str, list[str]]:
    """A device of ours that is called for a call out, and the settings of its channel. Raises UnsafeDialError."""
    told = [f"SWITCHHOOK_LINE={_matching(line, _LINE, 'line')}"] if line else []
    told += [f"SWITCHHOOK_TRUNK={_matching(trunk, _TRUNK, 'trunk')}"] if trunk else []
    return _matching(dial, _DIAL, "device"), told


def fallback_string(devices: Sequence[str]) -> str:
    """What rings while the service is away, as one dial string; "" for none. Raises UnsafeDialError."""
    return _joined([_matching(one, _DIAL, f"fallback device {place}") for place, one in enumerate(devices, 1)])


def line_variable(kind: str, line: str, value: str) -> tuple[str, str]:
    """The global variable of a line (its digits, or "default") and its value: a FALLBACK, or a kind of _OF_LINE.

    The value of a FALLBACK comes from `fallback_string`, which has looked at it. Raises UnsafeDialError.
    """
    if kind in _OF_LINE:
        _matching(value, _OF_LINE[kind], kind.lower())
    return f"SWITCHHOOK_{kind}_{_matching(line, _LINE, f'line of a {kind}')}", value


def _joined(values: Sequence[str]) -> str:
    text = "&".join(values)
    if len(text) > _VALUE_BYTES_MOST:
        raise UnsafeDialError(f"{len(values)} targets at once do not fit into one line to the PBX")
    return text


def _matching(value: str, pattern: re.Pattern[str], what: str) -> str:
    if not pattern.match(value):
        raise UnsafeDialError(f"the {what} is of no safe form")
    return value


def _name(kind: str, target: Target) -> str:
    """A target without its address, which may be a number: whose it is and of which kind, as far as it says so."""
    who = [str(value) for name in ("person", "kind") if (value := getattr(target, name, ""))]
    return " ".join([kind, "target", *(["of", "/".join(who)] if who else [])])


def _seconds(seconds: float) -> str:
    if not (math.isfinite(seconds) and 0 < seconds <= SECONDS_MOST):
        raise UnsafeDialError(f"a step of {seconds} seconds")
    return str(math.ceil(seconds))

"""Invented numbers, names and addresses for true ones, the same for the same wherever it stands (pure).

Rules this file obeys:
1. What is invented depends on a secret of one run that nobody keeps, so it can neither be turned back nor compared with
   another run's.
2. First everything is learned (what is private, and what is only the PBX's own name for a channel), then written: an
   invented value is never a true one.
3. Shape stays: length, letter case and alphabet, the plus, a country's prefix, Asterisk's ids and its own words.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable

LONG = 7
"""So many digits are a telephone number wherever they stand (ITU-T E.164 subscriber numbers); fewer an extension."""

_NATIONAL = 10
_LONGEST_NUMBER = 15
_CYRILLIC, _LATIN = "бвгджзклмнпрстаеиоу", "bcdfghjklmnprstvzaeiou"
_OWN_WORDS = frozenset(
    """
    pjsip sip iax2 iax dahdi local console agent asyncgoto surrogate parked queue dial appdial appqueue mixmonitor
    voicemail confbridge park parkedcall pickup answer noanswer busy cancel congestion chanunavail unknown anonymous
    asterisk unavailable restricted outgoing line null none s h i t o e var spool monitor wav wav49 gsm ulaw alaw mp3
    default ru en up down ring ringing success fail failed yes no invalidargs switchhook from to call all user conf
    caller staff
    """.split()  # noqa: SIM905 - a list of so many quoted words is not easier to read
)
"""What Asterisk and its configurations say by themselves: never somebody's name."""

_PARTS = (
    r"(?P<id>(?<!\d)1\d{9}\.\d{1,9}(?!\d)|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b)"
    r"|(?P<four>(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d))"
    r"|(?P<six>(?<![\w:.])(?:(?:[0-9a-fA-F]{1,4}:){5,7}[0-9a-fA-F]{1,4}"
    r"|(?:[0-9a-fA-F]{1,4}:)*[0-9a-fA-F]{0,4}::(?:[0-9a-fA-F]{1,4}:)*[0-9a-fA-F]{0,4})(?![\w:]))"
    r"|(?P<host>(?:(?<=@)|(?<=sip:)|(?<=sips:))[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}(?![\w.-]))"
    r"|(?P<spread>(?<![^\W_])\d{1,6}(?:(?:[ ().-]|%2[089Dd]){1,3}\d{1,6})+(?![^\W_]|:[0-9a-fA-F]))"
    r"|(?P<mixed>[^\W_]*(?:\d[^\W\d_]|[^\W\d_]\d)[^\W_]*)"
    r"|(?P<digits>\d+)"
    r"|(?P<word>[^\W\d_]+)"
)
_PART = re.compile(_PARTS)
_TOKEN = re.compile(
    r"(?P<channel>[A-Za-z0-9]{1,40}/[^\s,&|\"()]{1,200}-[0-9a-f]{8}(?:;[12])?(?![0-9A-Za-z]))|" + _PARTS,
)
_SPREAD_SIGNS = re.compile(r"%2[0-9A-Fa-f]|\d")
_DIGITS, _WORDS = re.compile(r"\d+"), re.compile(r"[^\W\d_]+")


class Scrambler:
    """Learns what is private, then writes something invented for it. `secret`: random bytes of this run alone."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._channels: set[str] = set()
        self._ids: set[str] = set()
        self._words: set[str] = set()
        self._short: set[str] = set()
        self._true: set[str] = set()
        self._learned: set[str] = set()
        self._given: dict[tuple[str, str], str] = {}
        self._taken: set[tuple[str, str]] = set()

    def learn(self, value: str) -> None:
        """Note the numbers of any value, so that none of them is invented for another."""
        if value in self._learned:
            return
        self._learned.add(value)
        self._true.update(_key(run) for run in _DIGITS.findall(value) if len(run) >= LONG)
        self._true.update(word.lower() for word in _WORDS.findall(value))
        found_parts = list(_TOKEN.finditer(value))
        self._true.update(found[0] for found in found_parts if found["four"] or found["six"])
        self._true.update(_key(_spread_digits(found[0])) for found in found_parts if found["spread"])

    def learn_channel(self, name: str) -> None:
        """A channel's name: the number at its end is the driver's."""
        self._channels.add(name)

    def learn_id(self, uniqueid: str) -> None:
        """A channel's uniqueid or linkedid, or a bridge's: they are the PBX's own, and stay."""
        self._ids.update(found["id"] for found in _TOKEN.finditer(uniqueid) if found["id"])

    def learn_name(self, name: str) -> None:
        """Words that are private wherever they stand; two letters at least, and none of Asterisk's own."""
        told = (word.lower() for word in _WORDS.findall(name))
        self._words.update(word for word in told if len(word) > 1 and word not in _OWN_WORDS)

    def learn_short(self, value: str) -> None:
        """Runs of two digits and more that are private wherever they stand: extensions, account codes."""
        self._short.update(run for run in _DIGITS.findall(value) if 1 < len(run) < LONG)

    def text(self, value: str) -> str:
        """`value` with what is private in it replaced: numbers, addresses, and the words and short numbers learned."""
        return _TOKEN.sub(lambda found: self._private(found, everything=False), value)

    def words(self, value: str) -> str:
        """`value` with the words learned replaced, and nothing else."""
        return _WORDS.sub(lambda found: self._known_word(found[0]), value)

    def free(self, value: str) -> str:
        """`value` with every word and every number replaced, but for ids and Asterisk's own words."""
        return _TOKEN.sub(lambda found: self._private(found, everything=True), value)

    def name(self, value: str) -> str:
        """A person's name: every word is replaced, a number in it too; a single digit or two only in a long number."""
        told = _WORDS.sub(lambda found: self._word(found[0]), value)
        count = sum(map(str.isdigit, value))
        return _DIGITS.sub(lambda found: (self._run if count >= LONG else self._known_run)(found[0]), told)

    def _private(self, found: re.Match[str], *, everything: bool) -> str:
        word, run = (self._word, self._run) if everything else (self._known_word, self._known_run)
        told = found[0]
        match found.lastgroup:
            case "channel" if told in self._channels:
                head, _, tail = told.rpartition("-")
                return f"{self.text(head)}-{tail}"
            case "channel":
                return _PART.sub(lambda part: self._private(part, everything=everything), told)
            case "id" if told in self._ids:
                return told
            case "id" if "-" in told:
                return self._given_for("hex", told, _hexed)
            case "four" | "six" | "host" as kind:
                return self._place(kind, told)
            case "spread" if len(digits := _spread_digits(told)) >= LONG:
                invented = iter(self._run(digits))
                return _SPREAD_SIGNS.sub(lambda one: one[0] if one[0][0] == "%" else next(invented), told)
            case "mixed" if everything and told.lower() not in _OWN_WORDS:
                return self._given_for("mixed", told, _mixed)
            case _ if told.lower() in _OWN_WORDS:
                return told
            case _:
                return _DIGITS.sub(lambda one: run(one[0]), _WORDS.sub(lambda one: word(one[0]), told))

    def _place(self, kind: str, told: str) -> str:
        """An address or a host; a machine's own address for itself stays."""
        if kind == "four":
            return self._address(told)
        if kind == "six":
            return told if told in {"::", "::1"} else self._given_for("hex", told, _hexed)
        return ".".join([*map(self._host_part, told.split(".")[:-1]), "example"])

    def _host_part(self, part: str) -> str:
        return _WORDS.sub(lambda found: self._word(found[0]), _DIGITS.sub(lambda found: self._run(found[0]), part))

    def _known_word(self, word: str) -> str:
        return self._word(word) if word.lower() in self._words else word

    def _word(self, word: str) -> str:
        low = word.lower()
        if len(low) < 2 or len(low) != len(word) or low in _OWN_WORDS:
            return word
        invented = self._given_for("word", low, _letters)
        return "".join(new.upper() if old.isupper() else new for old, new in zip(word, invented, strict=True))

    def _known_run(self, run: str) -> str:
        return self._run(run) if len(run) >= LONG or run in self._short else run

    def _run(self, run: str) -> str:
        if len(run) < 2:
            return run
        if not _NATIONAL <= len(run) <= _LONGEST_NUMBER:
            return self._given_for("digits", run, _number)
        # 8916…, +7916… and 916… are one number in three spellings: what is invented follows its last ten digits.
        return run[:-_NATIONAL] + self._given_for("digits", run[-_NATIONAL:], _national)

    def _address(self, told: str) -> str:
        parts = [int(part) for part in told.split(".")]
        if parts[0] == 127 or not any(parts) or max(parts) > 255:
            return told
        return self._given_for("four", told, _benchmark_address)

    def _given_for(self, kind: str, told: str, invent: Callable[[str, bytes], str]) -> str:
        """What is invented for `told`: its own, never a true one while there is room for others."""
        known = self._given.get((kind, told))
        if known is None:
            for attempt in range(50):
                key = f"{kind}/{attempt}/{told}".encode(errors="replace")
                known = invent(told, hmac.digest(self._secret, key, hashlib.sha512))
                if (kind, known) not in self._taken and known not in self._true and known not in self._short:
                    break
            self._given[kind, told] = known or told
            self._taken.add((kind, self._given[kind, told]))
        return self._given[kind, told]


def _spread_digits(told: str) -> str:
    """The digits of a number that is written with spaces, hyphens, dots or brackets, percent-encoded or not."""
    return "".join(sign for sign in _SPREAD_SIGNS.findall(told) if sign[0] != "%")


def _key(run: str) -> str:
    return run[-_NATIONAL:] if _NATIONAL <= len(run) <= _LONGEST_NUMBER else run


def _stream(length: int, digest: bytes) -> Iterable[int]:
    return (digest[place % len(digest)] for place in range(length))


def _number(told: str, digest: bytes) -> str:
    digits = "".join(str(byte % 10) for byte in _stream(len(told), digest))
    return digits if told[0] == "0" or digits[0] != "0" else f"1{digits[1:]}"


def _national(told: str, digest: bytes) -> str:
    """A number in a Russian code for mobiles or for Moscow, as all numbers invented here."""
    return ("916" if told[0] == "9" else "495") + "".join(str(byte % 10) for byte in digest[:7])


def _letters(told: str, digest: bytes) -> str:
    signs = zip(told, _stream(len(told), digest), strict=True)
    return "".join(alphabet[byte % len(alphabet)] for sign, byte in signs for alphabet in [_alphabet(sign)])


def _mixed(told: str, digest: bytes) -> str:
    """Letters and digits in one: a key, a hash, a call's id at a device."""
    signs = zip(told, _stream(len(told), digest), strict=True)
    return "".join(
        str(byte % 10) if sign.isdigit() else _alphabet(sign)[byte % len(_alphabet(sign))] for sign, byte in signs
    )


def _alphabet(sign: str) -> str:
    return _CYRILLIC if "а" <= sign <= "ё" else _LATIN


def _hexed(told: str, digest: bytes) -> str:
    signs = zip(told, _stream(len(told), digest), strict=True)
    return "".join(sign if sign in ":-" else f"{byte % 15 + 1:x}" for sign, byte in signs)


def _benchmark_address(_told: str, digest: bytes) -> str:
    """An address of 198.18.0.0/15, which no network uses (RFC 2544)."""
    return f"198.{18 + digest[0] % 2}.{digest[1]}.{digest[2]}"

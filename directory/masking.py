"""What of a talk is never kept in the clear, and who may have it: the policy of a company or a line (pure).

`plain` and `masking_from` are the one form for the file and for the row: what is not told is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

MaskKind = Literal["card", "phone", "passport", "snils", "email"]

MASK_KINDS: Final[tuple[MaskKind, ...]] = ("card", "phone", "passport", "snils", "email")


@dataclass(frozen=True, slots=True, kw_only=True)
class Masking:
    """What is masked; what is None is said by the company, else by default. `kinds` empty: nothing.

    ``keep_original``: text and sound are kept unmasked beside the masked ones. ``readers`` is the one role that may
    have the unmasked: what is kept of it, and sound that is not masked yet.
    """

    kinds: tuple[MaskKind, ...] | None = None
    keep_original: bool | None = None
    readers: str | None = None

    def over(self, other: "Masking") -> "Masking":
        """Fill what is not told here with what the other says."""
        return Masking(
            **{it.name: getattr(self if getattr(self, it.name) is not None else other, it.name) for it in fields(self)}
        )

    def __str__(self) -> str:
        """The way the difference of two directories tells it."""
        kinds = [] if self.kinds is None else [", ".join(self.kinds) or "nothing"]
        keeps = [] if self.keep_original is None else ["original kept" if self.keep_original else "original not kept"]
        return ", ".join([*kinds, *keeps, *([f"readers {self.readers}"] if self.readers else [])]) or "none"


UNTOLD: Final = Masking()
"""Everything is left to the company, or to what is by default."""

BY_DEFAULT: Final = Masking(kinds=("card",), keep_original=False, readers="admin")


def plain(masking: Masking) -> dict[str, Any]:
    """Give the form in which it is written; empty when nothing is told."""
    told = {it.name: getattr(masking, it.name) for it in fields(masking)}
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in told.items() if value is not None
    }


def masking_from(told: Mapping[str, Any]) -> Masking:
    """Read what ``plain`` gave."""
    kinds = told.get("kinds")
    return Masking(**{**told, "kinds": None if kinds is None else tuple(kinds)})


def whole(line: Mapping[str, Any] | None, company: Mapping[str, Any] | None) -> Masking:
    """Give the policy of a line by the rows of line and company, every blank filled in."""
    return masking_from(line or {}).over(masking_from(company or {})).over(BY_DEFAULT)

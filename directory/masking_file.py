"""The `masking:` of the company or of a line, read from YAML nodes."""

from typing import Final, cast

from directory import values
from directory.masking import MASK_KINDS, Masking, MaskKind
from directory.model import ROLES
from directory.nodes import Fields

_MASKING: Final = ("kinds", "keep_original", "readers")


def read_masking(holder: Fields) -> Masking:
    """Read what is masked; an empty list of kinds masks nothing, a missing one leaves it to the company."""
    path = f"{holder.path}.masking"
    fields = Fields(holder.reading, path, holder.reading.mapping(holder.table.get("masking"), path, _MASKING))
    kinds = fields.texts("kinds", values.one_of(MASK_KINDS))
    return Masking(
        kinds=cast("tuple[MaskKind, ...]", kinds) if "kinds" in fields.table else None,
        keep_original=fields.flag("keep_original"),
        readers=fields.text("readers", values.one_of(ROLES)),
    )

"""Everything that an import or an export can say has words in both languages."""

from __future__ import annotations

from crm_sync.book.lifecycle import STAGES
from crm_sync.imports.columns import FIELD, IGNORED, TARGETS
from crm_sync.imports.faults import FILE_FAULTS
from crm_sync.imports.plan import CHANGES
from crm_sync.imports.rows import ROW_FAULTS
from directory.lead_policy import DISQUALIFIED, LOST
from web.words import LANGUAGES, say

_COLUMNS = {FIELD: "field", IGNORED: "ignored"}


def test_every_key_of_an_import_has_words() -> None:
    """Faults of files and rows, what is filled in, what a column may be, stages and reasons."""
    keys = {f"file.{why}" for why in FILE_FAULTS} | {f"fault.{why}" for why in ROW_FAULTS}
    keys |= {f"change.{what}" for what in CHANGES} | {f"stage.{stage}" for stage in STAGES}
    keys |= {f"column.{_COLUMNS.get(target, target)}" for target in TARGETS}
    keys |= {f"reason.{reason}" for reason in (*DISQUALIFIED, *LOST)}
    for language in LANGUAGES:
        assert all(say(language, key) for key in sorted(keys))

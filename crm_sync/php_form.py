"""Forms whose names have brackets, as PHP writes and reads them: `leads[add][0][id]=1`."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import parse_qsl

from crm_sync.errors import PermanentError

_NAME: Final = re.compile(r"(\w+)((?:\[[^\[\]]*\])*)")
_INNER: Final = re.compile(r"\[([^\[\]]*)\]")


def read_form(body: bytes, most: int) -> dict[str, Any]:
    """The fields of a form, at most so many; lists are dicts by number. Raises PermanentError for what is none.

    What has no name of that form is left out.
    """
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=most)
    except ValueError:
        raise PermanentError("what was sent is no form") from None
    told: dict[str, Any] = {}
    for name, value in pairs:
        found = _NAME.fullmatch(name)
        if found is None:
            continue
        *path, last = found[1], *_INNER.findall(found[2])
        place = told
        for part in path:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise PermanentError("what was sent is no form")
        place[last] = value
    return told

"""Forms whose names have brackets, as PHP writes and reads them: `leads[add][0][id]=1`."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import parse_qsl

from crm_sync.errors import PermanentError

_NAME: Final = re.compile(r"(\w+)((?:\[[^\[\]]*\])*)")
_INNER: Final = re.compile(r"\[([^\[\]]*)\]")
_PARTS_MOST: Final = 16
"""Of one name. amoCRM writes a legal entity's in nine, `contacts[update][0][custom_fields][0][values][0][value][name]`,
and in a request that waits unsorted there are some more before it.
"""


def read_form(body: bytes, most: int) -> dict[str, Any]:
    """The fields of a form, at most so many; lists are dicts by number. Raises PermanentError for what is none.

    What has no name of that form is left out; a name of more parts than CRMs write makes it no form.
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
        if len(path) >= _PARTS_MOST:
            raise PermanentError("what was sent is no form: a name has too many brackets")
        place = told
        for part in path:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise PermanentError("what was sent is no form")
        place[last] = value
    return told

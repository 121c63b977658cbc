"""Who may do what, before any page is asked."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from web.guard import only


def test_nobody_has_none_of_the_roles() -> None:
    """Where no viewer was looked for, a page for some is for nobody: a person logs in, a program is told to."""
    with pytest.raises(web.HTTPSeeOther, match="See Other") as to:
        only(make_mocked_request("GET", "/crm/new"), "admin")
    assert to.value.location == "/login?next=%2Fcrm%2Fnew"
    with pytest.raises(web.HTTPUnauthorized):
        only(make_mocked_request("GET", "/api/v1/calls"), "admin")

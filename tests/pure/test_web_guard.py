"""Who may do what, before any page is asked."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from web.app import make_app
from web.audited import stated
from web.guard import only
from web.services import WebServices


def test_nobody_has_none_of_the_roles() -> None:
    """Where no viewer was looked for, a page for some is for nobody: a person logs in, a program is told to."""
    with pytest.raises(web.HTTPSeeOther, match="See Other") as to:
        only(make_mocked_request("GET", "/crm/new"), "admin")
    assert to.value.location == "/login?next=%2Fcrm%2Fnew"
    with pytest.raises(web.HTTPUnauthorized):
        only(make_mocked_request("GET", "/api/v1/calls"), "admin")


def test_every_handler_that_changes_something_states_what_the_audit_has_of_it() -> None:
    """A new route whose handler has neither `audited` nor `unaudited` (`web.audited`) fails here."""
    nothing: Any = None
    app = make_app(WebServices(engine=nothing, recordings=nothing, erasing=nothing))
    changing = [route for route in app.router.routes() if route.method not in {"GET", "HEAD"} and route.resource]
    assert len(changing) > 60
    silent = [route.resource.canonical for route in changing if route.resource and stated(route.handler) is None]
    assert silent == []

"""Automation rules of a real Odoo, as an administrator makes them by docs/how_to/connect_odoo.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from tests.odoo.private_odoo import RealOdoo

LEADS, CONTACTS = "crm.lead", "res.partner"


@contextmanager
def telling(odoo: RealOdoo, url: str, models: Sequence[str] = (LEADS, CONTACTS)) -> Iterator[None]:
    """Each change of a record of these models is told to `url`, with its telephone number."""
    head = replace(odoo, key=odoo.admin_key)
    rules = [_make_rule(head, model, url) for model in models]
    try:
        yield
    finally:
        head.ask("base.automation", "write", ids=rules, vals={"active": False})


def _make_rule(head: RealOdoo, model: str, url: str) -> int:
    (kind,) = head.ask("ir.model", "search_read", domain=[["model", "=", model]], fields=["id"])
    domain = [["model", "=", model], ["name", "=", "phone"]]
    (phone,) = head.ask("ir.model.fields", "search_read", domain=domain, fields=["id"])
    rule = {"name": "Tell", "model_id": kind["id"], "trigger": "on_create_or_write"}
    (made,) = head.ask("base.automation", "create", vals_list=[rule])
    action = {
        "name": "Tell",
        "model_id": kind["id"],
        "state": "webhook",
        "webhook_url": url,
        "usage": "base_automation",
    }
    action |= {"webhook_field_ids": [[6, 0, [phone["id"]]]], "base_automation_id": made}
    head.ask("ir.actions.server", "create", vals_list=[action])
    return int(made)

"""Every kind of CRM that can be connected: a newcomer adds one line (docs/how_to/add_a_crm.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from crm_sync.amocrm import adapter as amocrm
from crm_sync.bitrix24 import adapter as bitrix24
from crm_sync.odoo import adapter as odoo
from crm_sync.webhook import adapter as webhook
from crm_sync.workplace import Kind

KINDS: Final[Mapping[str, Kind]] = {kind.name: kind for kind in (amocrm.KIND, bitrix24.KIND, odoo.KIND, webhook.KIND)}

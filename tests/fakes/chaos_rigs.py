"""Every kind of CRM that is told of calls while it fails in every way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final

from tests.fakes.amocrm_chaos import open_amo_chaos
from tests.fakes.bitrix24_chaos import open_bitrix24_chaos
from tests.fakes.chaos import ChaosRig, Faults, open_webhook_chaos
from tests.fakes.odoo_chaos import open_odoo_chaos

RIGS: Final[Mapping[str, Callable[[Faults], AbstractAsyncContextManager[ChaosRig]]]] = {
    "amocrm": open_amo_chaos,
    "bitrix24": open_bitrix24_chaos,
    "odoo": open_odoo_chaos,
    "webhook": open_webhook_chaos,
}

"""A caller is found as people spelled them, whether the server reads telephone numbers or not."""

from __future__ import annotations

import pytest

from tests.fakes.odoo_rig import open_odoo
from tests.odoo.private_odoo import RealOdoo

pytestmark = pytest.mark.timeout(600)

SPELLED = ("8 (916) 123-{}-67", "7 916 123 {} 67", "+7 916 123-{}-67", "+7 916 123-{}-67 доб. 102", "+7916123{}67")


@pytest.mark.parametrize("has_numbers", [False, True])
async def test_each_spelling_is_found_and_another_country_is_not(
    odoo: RealOdoo, odoo_with_numbers: RealOdoo, has_numbers: bool
) -> None:
    """What Odoo computes is asked first, then its last ten digits."""
    server = odoo_with_numbers if has_numbers else odoo
    crm = open_odoo(server.url, server.key, server.users, 20.0)
    for turn, spelled in enumerate(SPELLED):
        digits = f"{turn}{'8' if has_numbers else '1'}"
        name = f"{spelled} {has_numbers}"
        told = [{"name": name, "phone": spelled.format(digits), "country_id": False}]
        server.ask("res.partner", "create", vals_list=[*told, {"name": "Abroad", "phone": f"+1 916 123 {digits} 67"}])
        assert [one.name for one in await crm.find_party(f"7916123{digits}67", 20.0)] == [name]
    (sanitized,) = server.ask(
        "res.partner", "search_read", domain=[["name", "=", f"{SPELLED[0]} {has_numbers}"]], fields=["phone_sanitized"]
    )
    assert sanitized["phone_sanitized"].startswith("+7916123") is has_numbers
    await crm.close()

"""What CRMs tell us, by the API: the same door as `/crm/KEY/events`, which asks for no login of ours."""

from typing import Final

from aiohttp import hdrs, web

from web import crm_doors
from web.api.operations import Door, Said, problem
from web.audited import unaudited
from web.guard import WEBHOOKS


@unaudited(crm_doors.BY_A_CRM)
async def hear(request: web.Request) -> web.Response:
    """POST /webhooks/{crm}: something happened there; 200 once it is stored."""
    return await crm_doors.hear(request, request.match_info["crm"])


DOOR: Final = Door(
    hdrs.METH_POST,
    f"{WEBHOOKS}{{crm}}",
    hear.__name__,
    "What happened in a connected CRM; its kind says how it is verified",
    {
        200: Said("It is stored.", None, ("text/plain",)),
        403: problem(403, "It is not from this CRM."),
        404: problem(404, "No such CRM is connected, or it tells nothing."),
        413: problem(413),
        503: problem(503, "It cannot be verified now."),
    },
    body=("application/json", "application/x-www-form-urlencoded"),
    body_required=False,
    security=(),
)

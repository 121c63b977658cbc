"""Live calls for programs: server-sent events, one a change of a call that the viewer may see."""

import json
from typing import Any

from aiohttp import web
from aiohttp_sse import EventSourceResponse

from web.api.operations import NoQuery
from web.cards import LiveCall
from web.live import LIVE
from web.watching import Right
from web.wording import iso


async def stream_calls(request: web.Request, _query: NoQuery) -> web.StreamResponse:
    """GET /stream: event `call` with a call's state as JSON; first every call that goes on, then each change."""
    live, right = request.app[LIVE], await Right.of(request)
    watch = live.open(right.concerns)
    watch.wake(live.calls, None)
    response = EventSourceResponse()
    try:
        await response.prepare(request)
        async with response:
            while response.is_connected() and not live.closing:
                changed, _ = await watch.wait(right.good_seconds)
                if not await right.stands():
                    break
                for id_ in changed:
                    call = live.calls.get(id_)
                    if call is not None and right.concerns(call):
                        await response.send(json.dumps(_told(call), ensure_ascii=False), event="call")
    except ConnectionError:
        pass
    finally:
        live.close(watch)
    return response


def _told(call: LiveCall) -> dict[str, Any]:
    return {
        "id": str(call.id),
        "direction": call.direction,
        "status": call.status,
        "line": call.line,
        "caller_number": call.caller_number,
        "caller_name": call.caller_name,
        "started_at": iso(call.started_at),
        "answered_at": iso(call.answered_at) or None,
        "ended_at": iso(call.ended_at) or None,
        "missed_cause": call.missed_cause,
        "person": call.person,
        "crm_copy": call.crm.to_json() if call.crm else None,
        "people": sorted(call.people),
    }

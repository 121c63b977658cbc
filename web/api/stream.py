"""Live calls for programs: server-sent events, one a change of a call that the viewer may see."""

from datetime import datetime
from uuid import UUID

from aiohttp import web
from aiohttp_sse import EventSourceResponse

from web.api.models import CrmCopy
from web.api.operations import Answer, NoQuery
from web.cards import LiveCall
from web.live import LIVE
from web.watching import Right, event_stream


class LiveCallTold(Answer):
    """A call that goes on, or ended a moment ago, as an event `call` tells it."""

    id: UUID
    direction: str
    status: str
    line: str | None
    caller_number: str | None
    caller_name: str | None
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    missed_cause: str | None
    person: str | None
    people: list[str]
    crm_copy: CrmCopy | None


async def stream_calls(request: web.Request, _query: NoQuery) -> web.StreamResponse:
    """GET /stream: event `call` with a call's state as JSON; first every call that goes on, then each change."""
    live, right = request.app[LIVE], await Right.of(request)
    watch = right.watch()

    async def tell(response: EventSourceResponse) -> None:
        watch.wake(live.calls, None)
        while response.is_connected() and not live.closing:
            changed, _ = await watch.wait(right.good_seconds)
            if not await right.stands():
                break
            for id_ in changed:
                call = live.calls.get(id_)
                if call is not None and right.concerns(call):
                    await response.send(_told(call).model_dump_json(), event="call")

    return await event_stream(request, watch, tell)


def _told(call: LiveCall) -> LiveCallTold:
    own = {name: getattr(call, name) for name in LiveCallTold.model_fields if name not in {"people", "crm_copy"}}
    copy = call.crm.to_json() if call.crm else None
    return LiveCallTold(
        **own, people=sorted(filter(None, call.people)), crm_copy=CrmCopy.model_validate(copy) if copy else None
    )

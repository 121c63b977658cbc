"""Every operation of the API, and its description."""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from aiohttp import hdrs, web
from pydantic import ConfigDict

from web.api import (
    attention,
    bulk,
    calls,
    comments,
    desk,
    directory,
    follow_ups,
    gaps,
    giving,
    head,
    health,
    house,
    lead_models,
    leads,
    links,
    models,
    notices,
    outgoing,
    parties,
    pausing,
    plans,
    presence,
    privacy,
    reports,
    search,
    sound,
    stream,
    talk,
    tasks,
    uploads,
    users,
    watch,
    webhooks,
)
from web.api.openapi import document
from web.api.operations import EVENTS, NUMBER, PREFIX, Answer, Command, Door, NoBody, NoQuery, Operation, Said, problem
from web.guard import Handler

_SOUND: Final = ("audio/ogg", "audio/wav")


class OpenApi(Answer):
    """An OpenAPI 3.1 document."""

    model_config = ConfigDict(frozen=True, extra="allow")

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]


OPERATIONS: Final = (
    Operation(
        "/leads/attention", attention.get_attention, "Leads that need attention", NoQuery, attention.AttentionTold
    ),
    Operation("/users", users.list_users, "Every login", NoQuery, users.UserList, refuses=(403,)),
    Operation("/users/{number}", users.get_user, "One login with its tokens", NoQuery, users.UserWhole),
    Operation("/audit", watch.list_audit, "Who did what", watch.AuditQuery, watch.AuditPage, refuses=(403,)),
    Operation(
        "/incidents",
        watch.list_incidents,
        "What is wrong, and what was",
        watch.IncidentsQuery,
        watch.IncidentList,
        refuses=(403,),
    ),
    Operation("/notices", notices.list_notices, "What the viewer was told", notices.NoticesQuery, notices.NoticePage),
    Operation("/calls", calls.list_calls, "Calls, the newest first", calls.CallsQuery, models.CallPage),
    Operation(
        "/calls/export",
        calls.export_calls,
        "Calls as a table",
        calls.ExportQuery,
        None,
        bulk.TABLES,
        refuses=(403, 429),
    ),
    Operation("/calls/{id}", calls.get_call, "One call", NoQuery, models.CallWhole),
    Operation("/calls/{id}/timeline", calls.get_timeline, "What happened, in words", NoQuery, models.Timeline),
    Operation("/calls/{id}/decision", calls.get_decision, "Where routing sent it and why", NoQuery, models.Decision),
    Operation(
        "/calls/{id}/recording", sound.get_recording, "The recording", sound.SoundQuery, None, _SOUND, ranges=True
    ),
    Operation(
        "/calls/{id}/recording/outline",
        sound.get_outline,
        "Its loudness",
        sound.TrackQuery,
        models.Outline,
        refuses=(503,),
    ),
    Operation(
        "/calls/{id}/transcript", sound.get_transcript, "The talk as text", sound.TranscriptQuery, models.Transcript
    ),
    Operation(
        "/calls/{id}/transcript.srt", talk.get_srt, "As SubRip subtitles", NoQuery, None, ("application/x-subrip",)
    ),
    Operation("/calls/{id}/transcript.vtt", talk.get_vtt, "As WebVTT subtitles", NoQuery, None, ("text/vtt",)),
    Operation("/calls/{id}/talk-facts", talk.get_talk_facts, "What the words tell", NoQuery, talk.TalkFactsTold),
    Operation("/calls/{id}/export", talk.export_call, "All of it as one zip", NoQuery, None, ("application/zip",)),
    Operation("/calls/{id}/comments", comments.list_comments, "Comments on it", NoQuery, comments.CommentList),
    Operation("/calls/{id}/outcome", desk.get_outcome, "What was written and told of it", NoQuery, desk.CardsTold),
    Operation(
        "/search",
        search.search_all,
        "Who and what answers a query",
        search.SearchQuery,
        search.SearchPage,
        refuses=(503,),
    ),
    Operation("/outgoing-calls/{id}", outgoing.get_outgoing, "A call that was asked for", NoQuery, models.OutgoingCall),
    Operation(
        "/follow-ups",
        follow_ups.list_follow_ups,
        "Promises to call back, the newest first",
        follow_ups.FollowUpsQuery,
        models.FollowUpPage,
    ),
    Operation(
        "/follow-ups/{number}", follow_ups.get_follow_up, "One promise to call back", NoQuery, models.FollowUpTold
    ),
    Operation(
        "/recordings/gaps",
        gaps.list_gaps,
        "Calls whose audio is not complete, the newest first",
        gaps.GapsQuery,
        models.GapPage,
    ),
    Operation(
        "/leads/export", bulk.export_leads, "Leads as a table", bulk.ExportQuery, None, bulk.TABLES, refuses=(403, 422)
    ),
    Operation(
        "/leads", leads.list_leads, "Leads, the newest first", leads.LeadsQuery, lead_models.LeadPage, refuses=(422,)
    ),
    Operation(
        "/leads/count", leads.count_leads, "How many leads", leads.SegmentQuery, lead_models.LeadCount, refuses=(422,)
    ),
    Operation("/leads/{number}", leads.get_lead, "One lead with its history", NoQuery, lead_models.LeadWhole),
    Operation("/tasks", tasks.list_tasks, "Tasks, the newest first", tasks.TasksQuery, lead_models.TaskPage),
    Operation("/parties/{number}", parties.get_party, "One person outside", NoQuery, parties.PartyWhole),
    Operation("/parties", house.list_parties, "People outside, the newest first", house.PageQuery, models.PartyPage),
    Operation("/plans", plans.list_plans, "Plans of a month", plans.PlansQuery, plans.PlanList, refuses=(403,)),
    Operation("/people", house.list_people, "People who work here", NoQuery, models.PersonList),
    Operation("/teams", house.list_teams, "Teams", NoQuery, models.TeamList),
    Operation("/lines", house.list_lines, "Lines", NoQuery, models.LineList),
    Operation("/devices", house.list_devices, "Devices with their states", NoQuery, models.DeviceList),
    Operation("/calls/{id}/links", links.list_links, "Signed links to its recording", NoQuery, links.LinkList),
    Operation("/holds", privacy.list_holds, "What the law holds", NoQuery, privacy.HoldList, refuses=(403,)),
    Operation("/erasures/{number}", privacy.get_erasure, "What became of an erasure", NoQuery, privacy.ErasureTold),
    *(
        Operation(
            f"/reports/{kind}",
            handler,
            summary,
            reports.ReportQuery,
            reports.ReportTold,
            reports.MEDIAS,
            refuses=(403,),
        )
        for kind, handler, summary in (
            ("daily", reports.get_daily_report, "The report of a day: good or bad, how much, why, what to do"),
            ("weekly", reports.get_weekly_report, "The report of the week that holds a day"),
            ("monthly", reports.get_monthly_report, "The report of the month that holds a day"),
        )
    ),
    Operation("/wallboard", head.get_wallboard, "The wallboard", head.WallboardQuery, head.WallboardTold),
    Operation(
        "/wallboard/links",
        head.list_wall_links,
        "Links of screens on walls",
        NoQuery,
        head.WallLinkList,
        refuses=(403,),
    ),
    Operation("/overhearings/{id}", head.get_overhearing, "Somebody who hears a call", NoQuery, head.OverhearingTold),
    Operation(
        "/refused",
        head.list_refused,
        "What was refused, the newest first",
        head.RefusedQuery,
        head.RefusedList,
        refuses=(403,),
    ),
    Operation(
        "/stream",
        stream.stream_calls,
        "Live calls as server-sent events",
        NoQuery,
        stream.LiveCallTold,
        (EVENTS,),
        refuses=(429,),
    ),
)

_ON_LEADS: Final = tuple(
    Command(
        path,
        handler,
        summary,
        body,
        lead_models.LeadWhole,
        keyed=False,
        refuses=(409, 422) if "seen" in body.model_fields else (422,),
    )
    for path, handler, summary, body in (
        ("/leads/{number}/move", leads.move_lead, "Move a lead to another stage or step", lead_models.LeadMove),
        ("/leads/{number}/return", leads.return_lead, "Return a lost lead to work", lead_models.LeadReturn),
        ("/leads/{number}/owner", leads.give_lead, "Give a lead to a person, or to nobody", lead_models.LeadOwner),
        ("/leads/{number}/notes", leads.note_lead, "Write a note about a lead", lead_models.LeadNote),
        ("/leads/{number}/tasks", leads.add_task, "Give somebody a task for a lead", lead_models.LeadTask),
        ("/leads/{number}/deadline", leads.set_deadline, "Set by when it must go on", lead_models.LeadDeadline),
        ("/leads/{number}/fields", leads.set_fields, "Write the house's own fields", lead_models.LeadFields),
    )
)

_CONTROLS: Final = (409, 422, 429)
_ON_TALKS: Final = tuple(
    Command(f"/calls/{{id}}/{path}", handler, summary, body, answer, keyed=False, refuses=refuses)
    for path, handler, summary, body, answer, refuses in (
        ("hangup", desk.hang_up_call, "Hang up the viewer's own device", NoBody, desk.ControlDone, _CONTROLS),
        ("hold", desk.hold_call, "Put the other side on hold", NoBody, desk.ControlDone, _CONTROLS),
        ("resume", desk.take_call_back, "Take the other side back", NoBody, desk.ControlDone, _CONTROLS),
        (
            "transfer",
            desk.transfer_call,
            "Send the other side to a colleague or a number",
            desk.Transfer,
            desk.ControlDone,
            _CONTROLS,
        ),
        (
            "consult",
            desk.consult_somebody,
            "Talk with a colleague or a number first, while the other side waits",
            desk.Transfer,
            desk.ControlDone,
            _CONTROLS,
        ),
        (
            "connect",
            desk.connect_call,
            "Hand the other side over to who is consulted",
            NoBody,
            desk.ControlDone,
            _CONTROLS,
        ),
        ("help", desk.ask_for_help, "Ask the heads for help", NoBody, desk.HelpAsked, (422,)),
        ("help/withdraw", desk.need_no_help, "Need no help any more", NoBody, desk.HelpAsked, (422,)),
        ("note", desk.note_call, "Write the note of a talk", desk.CardNote, desk.CardsTold, (422,)),
        ("outcome", desk.tell_outcome, "Tell what came of a talk", desk.OutcomeTold, desk.CardsTold, (422,)),
        ("dismiss", desk.dismiss_card, "Take its card off the desk", NoBody, desk.CardsTold, ()),
    )
)

_ON_PARTIES: Final = tuple(
    Command(path, handler, summary, body, parties.PartyWhole, keyed=False, refuses=(422,))
    for path, handler, summary, body in (
        ("/parties/{number}/rename", parties.rename_party, "Write a party's name", parties.PartyName),
        ("/parties/{number}/numbers", parties.add_party_number, "Note another number", parties.PartyNumber),
        ("/parties/{number}/merge", parties.merge_parties, "Make another party part of it", parties.PartyMerge),
        ("/merges/{number}/undo", parties.undo_merge, "Take a merge back", NoBody),
    )
)

COMMANDS: Final = (
    *_ON_LEADS,
    *_ON_PARTIES,
    *_ON_TALKS,
    Command(
        "/leads/owner",
        giving.give_leads,
        "Give many leads to a person, or to nobody",
        giving.LeadsGiving,
        giving.LeadsGiven,
        keyed=False,
        refuses=(409, 422),
    ),
    Command(
        "/tasks/{number}/done",
        tasks.finish_task,
        "Note that a task is done",
        NoBody,
        lead_models.TaskWhole,
        keyed=False,
    ),
    Command(
        "/notices/{number}/read",
        notices.read_notice,
        "Mark one of the viewer's notices as read",
        NoBody,
        notices.NoticesRead,
        keyed=False,
    ),
    Command(
        "/notices/read", notices.read_notices, "Mark all of them as read", NoBody, notices.NoticesRead, keyed=False
    ),
    Command(
        "/calls", outgoing.begin_call, "Call a number: the person first, then it", models.CallWish, models.OutgoingCall
    ),
    Command(
        "/status",
        presence.set_status,
        "Say of a person whether they are there",
        models.StatusWish,
        models.StatusTold,
        keyed=False,
    ),
    Command(
        "/calls/{id}/recording/pause",
        pausing.pause_recording,
        "Write silence into the recording of a call that goes on",
        NoBody,
        models.RecordingPaused,
        keyed=False,
        refuses=(422,),
    ),
    Command(
        "/calls/{id}/recording/resume",
        pausing.resume_recording,
        "Write sound into it again",
        NoBody,
        models.RecordingPaused,
        keyed=False,
        refuses=(422,),
    ),
    Command(
        "/calls/{id}/overhear",
        head.overhear_call,
        "Have one's own telephone hear a call that goes on: listen, whisper, or join",
        head.OverhearWish,
        head.OverhearingTold,
        keyed=False,
        refuses=(422,),
    ),
    Command(
        "/wallboard/links",
        head.make_wall_link,
        "Make a link at which a screen shows the wallboard without a login",
        head.WallLinkWish,
        head.WallLinkMade,
        keyed=False,
        refuses=(422,),
    ),
    Command(
        "/wallboard/links/{number}/revoke",
        head.revoke_wall_link,
        "End such a link",
        NoBody,
        head.WallLinkEnded,
        keyed=False,
    ),
    Command(
        "/calls/{id}/links",
        links.make_link,
        "Make a link at which its recording is heard without a login, until it expires",
        links.LinkWish,
        links.LinkMade,
        keyed=False,
    ),
    Command(
        "/calls/{id}/comments",
        comments.add_comment,
        "Write a comment on a moment of it",
        comments.CommentWish,
        comments.CommentTold,
        keyed=False,
        refuses=(422,),
    ),
    Command(
        "/comments/{number}/delete",
        comments.delete_comment,
        "Delete a comment",
        NoBody,
        comments.CommentDeleted,
        keyed=False,
    ),
    *users.COMMANDS,
    Command(
        "/incidents/retry",
        watch.retry_jobs,
        "Have jobs that were given up tried again",
        watch.RetryWish,
        watch.Retried,
        keyed=False,
        refuses=(422,),
    ),
    Command("/links/{number}/revoke", links.revoke_link, "End a link", NoBody, links.LinkEnded, keyed=False),
    Command("/holds", privacy.set_hold, "Hold a call or a number", privacy.HoldWish, privacy.HoldDone, keyed=False),
    Command("/holds/{number}/lift", privacy.lift_hold, "Lift a hold", NoBody, privacy.HoldDone, keyed=False),
    Command(
        "/erasures",
        privacy.erase_person,
        "Erase a person, or tell what that would remove",
        privacy.EraseWish,
        privacy.ErasureTold,
        keyed=False,
    ),
    Command(
        "/absences",
        presence.send_away,
        "Send a person away for a time",
        models.AbsenceWish,
        models.AbsenceTold,
        keyed=False,
    ),
    Command(
        "/absences/{number}/end",
        presence.come_back,
        "End an absence, or cancel one to come",
        NoBody,
        models.AbsenceTold,
        keyed=False,
    ),
    Command(
        "/follow-ups/{number}/call",
        follow_ups.call_follow_up,
        "Call back: the viewer's phone first, then whoever waits",
        NoBody,
        models.OutgoingCall,
        refuses=(404, 409),
    ),
    *(
        Command(
            f"/follow-ups/{{number}}/{do}", handler, summary, NoBody, models.FollowUpTold, keyed=False, refuses=(409,)
        )
        for do, handler, summary in (
            ("claim", follow_ups.claim_follow_up, "Be on it, as colleagues then see"),
            ("release", follow_ups.release_follow_up, "Be on it no more"),
        )
    ),
    Command(
        "/follow-ups/{number}/close",
        follow_ups.close_follow_up,
        "Close a promise to call back without a talk",
        models.FollowUpClose,
        models.FollowUpTold,
        keyed=False,
    ),
)


def describe() -> dict[str, Any]:
    """The document: every door of the API, and the two that tell whether the service is well."""
    return document((*DOORS, *health.DOORS, *(door for door, _ in _OWN)), _version())


async def _describe(_request: web.Request) -> web.Response:
    return web.json_response(describe())


_OWN: Final[Sequence[tuple[Door, Handler]]] = (
    *uploads.DOORS,
    (bulk.DOOR, bulk.import_leads),
    (directory.READ, directory.get_directory),
    (directory.WRITE, directory.put_directory),
    (plans.WRITE, plans.put_plans),
    (webhooks.DOOR, webhooks.hear),
    (
        Door(
            hdrs.METH_GET,
            f"{PREFIX}/openapi.json",
            "describe",
            "This document",
            {200: Said("As asked.", OpenApi), 401: problem(401)},
        ),
        _describe,
    ),
)
"""What reads and answers by itself."""

DOORS: Final = (*(told.door() for told in OPERATIONS), *(told.door() for told in COMMANDS))


def routes() -> list[web.RouteDef]:
    """The API's routes for an application."""
    return [
        *(_route(hdrs.METH_GET, PREFIX + operation.path, operation.serve) for operation in OPERATIONS),
        *(_route(hdrs.METH_POST, PREFIX + command.path, command.serve) for command in COMMANDS),
        *(_route(door.method, door.path, handler) for door, handler in _OWN),
    ]


def _route(method: str, path: str, handler: Handler) -> web.RouteDef:
    path = path.replace("{number}", NUMBER)
    return web.get(path, handler) if method == hdrs.METH_GET else web.route(method, path, handler)


def _version() -> str:
    try:
        return version("switchhook")
    except PackageNotFoundError:
        return "0"

"""Calendars as their makers write them, with invented people, and a server of feeds that can behave badly."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web


def _text(told: str) -> bytes:
    return "\r\n".join(line.strip("\n") for line in told.strip().splitlines()).encode() + b"\r\n"


def event(*lines: str, uid: str = "1") -> str:
    """One event with these lines."""
    return "\r\n".join(("BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", *lines, "END:VEVENT"))


def calendar(*parts: str) -> bytes:
    """A calendar of these events or lines."""
    return "\r\n".join(
        ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Invented//EN", *parts, "END:VCALENDAR", "")
    ).encode()


GOOGLE: Final = _text("""
BEGIN:VCALENDAR
PRODID:-//Google Inc//Google Calendar 70.9054//EN
VERSION:2.0
CALSCALE:GREGORIAN
METHOD:PUBLISH
X-WR-CALNAME:anna@romashka.example
X-WR-TIMEZONE:Europe/Moscow
BEGIN:VTIMEZONE
TZID:Europe/Moscow
X-LIC-LOCATION:Europe/Moscow
BEGIN:STANDARD
TZOFFSETFROM:+0300
TZOFFSETTO:+0300
TZNAME:GMT+3
DTSTART:19700101T000000
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
DTSTART;TZID=Europe/Moscow:20260302T100000
DTEND;TZID=Europe/Moscow:20260302T103000
RRULE:FREQ=WEEKLY;WKST=MO;UNTIL=20260413T065959Z;BYDAY=MO
EXDATE;TZID=Europe/Moscow:20260309T100000
DTSTAMP:20260301T101500Z
UID:5k2m0planyorka@google.com
CREATED:20260110T090000Z
LAST-MODIFIED:20260220T090000Z
SEQUENCE:1
STATUS:CONFIRMED
SUMMARY:Планёрка
TRANSP:OPAQUE
END:VEVENT
BEGIN:VEVENT
DTSTART;TZID=Europe/Moscow:20260317T150000
DTEND;TZID=Europe/Moscow:20260317T160000
DTSTAMP:20260301T101500Z
UID:5k2m0planyorka@google.com
RECURRENCE-ID;TZID=Europe/Moscow:20260316T100000
SEQUENCE:2
STATUS:CONFIRMED
SUMMARY:Планёрка (перенос)
TRANSP:OPAQUE
END:VEVENT
BEGIN:VEVENT
DTSTART;TZID=Europe/Moscow:20260323T100000
DTEND;TZID=Europe/Moscow:20260323T103000
DTSTAMP:20260301T101500Z
UID:5k2m0planyorka@google.com
RECURRENCE-ID;TZID=Europe/Moscow:20260323T100000
SEQUENCE:2
STATUS:CANCELLED
SUMMARY:Планёрка
TRANSP:OPAQUE
END:VEVENT
BEGIN:VEVENT
DTSTART;VALUE=DATE:20260308
DTEND;VALUE=DATE:20260309
DTSTAMP:20260301T101500Z
UID:holiday@google.com
STATUS:CONFIRMED
SUMMARY:Праздник
TRANSP:TRANSPARENT
END:VEVENT
END:VCALENDAR
""")

OUTLOOK: Final = _text("""
BEGIN:VCALENDAR
METHOD:PUBLISH
PRODID:Microsoft Exchange Server 2010
VERSION:2.0
X-WR-CALNAME:Calendar
BEGIN:VTIMEZONE
TZID:(UTC+03:00) Moscow\\, St. Petersburg
BEGIN:STANDARD
DTSTART:16010101T000000
TZOFFSETFROM:+0300
TZOFFSETTO:+0300
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T000000
TZOFFSETFROM:+0300
TZOFFSETTO:+0300
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
UID:040000008200E00074C5B7101A82E00800000001
SUMMARY:Busy
DTSTART;TZID=Russian Standard Time:20260302T090000
DTEND;TZID=Russian Standard Time:20260302T100000
CLASS:PUBLIC
PRIORITY:5
DTSTAMP:20260301T081222Z
TRANSP:OPAQUE
STATUS:CONFIRMED
SEQUENCE:0
X-MICROSOFT-CDO-APPT-SEQUENCE:0
X-MICROSOFT-CDO-BUSYSTATUS:BUSY
X-MICROSOFT-CDO-INTENDEDSTATUS:BUSY
X-MICROSOFT-CDO-ALLDAYEVENT:FALSE
X-MICROSOFT-DISALLOW-COUNTER:FALSE
END:VEVENT
BEGIN:VEVENT
UID:040000008200E00074C5B7101A82E00800000002
SUMMARY:Busy
RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=TU;COUNT=2
DTSTART;TZID="(UTC+03:00) Moscow, St. Petersburg":20260303T160000
DTEND;TZID="(UTC+03:00) Moscow, St. Petersburg":20260303T170000
DTSTAMP:20260301T081222Z
TRANSP:OPAQUE
STATUS:CONFIRMED
X-MICROSOFT-CDO-BUSYSTATUS:BUSY
END:VEVENT
BEGIN:VEVENT
UID:040000008200E00074C5B7101A82E00800000002
RECURRENCE-ID;TZID="(UTC+03:00) Moscow, St. Petersburg":20260310T160000
SUMMARY:Busy
DTSTART;TZID="(UTC+03:00) Moscow, St. Petersburg":20260310T150000
DTEND;TZID="(UTC+03:00) Moscow, St. Petersburg":20260310T160000
DTSTAMP:20260301T081222Z
TRANSP:OPAQUE
STATUS:CONFIRMED
X-MICROSOFT-CDO-BUSYSTATUS:BUSY
END:VEVENT
BEGIN:VEVENT
UID:040000008200E00074C5B7101A82E00800000003
SUMMARY:Away
DTSTART;VALUE=DATE:20260305
DTEND;VALUE=DATE:20260307
DTSTAMP:20260301T081222Z
TRANSP:OPAQUE
STATUS:CONFIRMED
X-MICROSOFT-CDO-BUSYSTATUS:OOF
X-MICROSOFT-CDO-ALLDAYEVENT:TRUE
END:VEVENT
BEGIN:VEVENT
UID:040000008200E00074C5B7101A82E00800000004
SUMMARY:Working elsewhere
DTSTART;TZID=Russian Standard Time:20260309T090000
DTEND;TZID=Russian Standard Time:20260309T180000
DTSTAMP:20260301T081222Z
TRANSP:OPAQUE
STATUS:CONFIRMED
X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE
END:VEVENT
BEGIN:VEVENT
UID:040000008200E00074C5B7101A82E00800000005
SUMMARY:Tentative
DTSTART;TZID=Russian Standard Time:20260311T090000
DTEND;TZID=Russian Standard Time:20260311T180000
DTSTAMP:20260301T081222Z
TRANSP:OPAQUE
STATUS:TENTATIVE
X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE
END:VEVENT
END:VCALENDAR
""")

NEXTCLOUD: Final = _text("""
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//SabreDAV//SabreDAV//EN
CALSCALE:GREGORIAN
X-WR-CALNAME:Personal
X-APPLE-CALENDAR-COLOR:#0082c9
REFRESH-INTERVAL;VALUE=DURATION:PT4H
X-PUBLISHED-TTL:PT4H
BEGIN:VTIMEZONE
TZID:Asia/Yekaterinburg
BEGIN:STANDARD
TZOFFSETFROM:+0500
TZOFFSETTO:+0500
TZNAME:+05
DTSTART:19700101T000000
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
CREATED:20260105T090000Z
DTSTAMP:20260105T090000Z
LAST-MODIFIED:20260105T090000Z
SEQUENCE:2
UID:2b7e1516-28ae-4d2a-a6ab-f7158809cf4f
DTSTART;TZID=Asia/Yekaterinburg:20260113T150000
DTEND;TZID=Asia/Yekaterinburg:20260113T160000
RRULE:FREQ=MONTHLY;BYDAY=2TU
RDATE;TZID=Asia/Yekaterinburg:20260320T150000
STATUS:CONFIRMED
SUMMARY:Отчёт
BEGIN:VALARM
ACTION:DISPLAY
TRIGGER;RELATED=START:-PT15M
END:VALARM
END:VEVENT
BEGIN:VEVENT
DTSTAMP:20260105T090000Z
UID:3b7e1516-28ae-4d2a-a6ab-f7158809cf4f
DTSTART;VALUE=DATE:19900312
DTEND;VALUE=DATE:19900313
RRULE:FREQ=YEARLY
TRANSP:TRANSPARENT
SUMMARY:День рождения
END:VEVENT
BEGIN:VTODO
UID:4b7e1516-28ae-4d2a-a6ab-f7158809cf4f
DTSTAMP:20260105T090000Z
DUE;TZID=Asia/Yekaterinburg:20260318T150000
SUMMARY:Позвонить
END:VTODO
END:VCALENDAR
""")


@dataclass
class FeedServer:
    """A server of one feed at /secret/basic.ics; what else it does is chosen by the path asked for.

    It is strict: a request that is not a plain GET for a calendar without compression is answered 400. `hits` are the
    paths asked for, `conditions` their If-None-Match.
    """

    body: bytes = b""
    etag: str = '"1"'
    status: int = 200
    port: int = 0
    hits: list[str] = field(default_factory=list)
    conditions: list[str | None] = field(default_factory=list)
    held: asyncio.Event = field(default_factory=asyncio.Event)

    def address(self, path: str = "/secret/basic.ics") -> str:
        """The address of a feed on this server."""
        return f"http://127.0.0.1:{self.port}{path}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer as the path says."""
        self.hits.append(request.path)
        self.conditions.append(request.headers.get("If-None-Match"))
        strict = request.headers.get("Accept-Encoding") == "identity" and "Cookie" not in request.headers
        if request.method != "GET" or not strict or request.headers.get("Accept") != "text/calendar":
            return web.Response(status=400)
        match request.path:
            case "/secret/basic.ics":
                return self._feed(request)
            case "/compressed":
                packed = gzip.compress(b"BEGIN:VCALENDAR" + b"\0" * 30_000_000)
                return web.Response(body=packed, headers={"Content-Encoding": "gzip"})
            case "/round":
                return web.Response(status=302, headers={"Location": "/round"})
            case "/moved":
                return web.Response(status=301, headers={"Location": "/secret/basic.ics"})
            case "/elsewhere":
                return web.Response(status=302, headers={"Location": request.query["to"]})
            case "/endless" | "/slow":
                return await self._stream(request)
        return web.Response(status=404)

    def _feed(self, request: web.Request) -> web.Response:
        if self.status != 200:
            return web.Response(status=self.status)
        if request.headers.get("If-None-Match") == self.etag:
            return web.Response(status=304)
        headers = {"ETag": self.etag} if self.etag else {}
        return web.Response(body=self.body, content_type="text/calendar", headers=headers)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        """Without a length: for ever as fast as it is read, or one byte and then nothing."""
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"BEGIN:VCALENDAR\r\n")
        while request.path == "/endless":
            await response.write(b"X-NOTHING:" + b"x" * 60_000 + b"\r\n")
        await self.held.wait()
        return response


@asynccontextmanager
async def feed_server(body: bytes = b"") -> AsyncIterator[FeedServer]:
    """A server on a free port of this machine."""
    server = FeedServer(body)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        server.held.set()
        await runner.cleanup()

"""A house that is lived in: calls of every kind, clients, leads, tasks, notices and a CRM, for pages to show."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.events import PartyLinked
from crm_sync.book.leads import By, open_lead, set_fields
from crm_sync.book.notes import add_note, add_task
from crm_sync.tables import parties, party_numbers
from directory import store
from directory.lead_policy import FunnelStep, LeadPolicy
from directory.model import Directory
from directory.script import Step, Topic
from notices.model import Notice
from notices.telling import tell
from recordings.tables import comments
from tests.fakes.ledger import add_connection
from tests.fakes.site import Site
from tests.fakes.story import HOUSE, LINE, PASSWORD, Told
from web import users

SAID = [
    ("staff", "Компания Ромашка, добрый день! Меня зовут Анна, чем могу помочь?"),
    ("caller", "Здравствуйте, хочу посмотреть квартиру на Лесной. Сколько она стоит?"),
    ("staff", "Пять миллионов, на квартиры у нас сейчас скидка. Когда вам удобно приехать?"),
    ("caller", "Давайте завтра в десять. А ипотека у вас есть?"),
]
LIVED_IN: Directory = replace(
    HOUSE,
    company=replace(HOUSE.company, topics=(Topic("Цена", ("стоит", "скидка")), Topic("Ипотека", ("ипотека",)))),
    lines=(
        replace(
            HOUSE.lines[0],
            script=(Step("Приветствие", ("добрый день",)), Step("Спросить о бюджете", ("на какой бюджет",))),
        ),
        *HOUSE.lines[1:],
    ),
    leads=LeadPolicy(
        funnel=(FunnelStep(key="meeting", name="Встреча"), FunnelStep(key="contract", name="Договор на подписании"))
    ),
)


async def live_in(site: Site) -> None:
    """Fill the house; `ilya` is its admin, at whose desk it rings as at Anna's."""
    now = datetime.now(UTC)
    async with site.engine.begin() as connection:
        await store.apply(connection, LIVED_IN)
        await users.add(connection, "ilya", "admin", person="anna", password=PASSWORD)
        await _book(connection, now)
        told = (
            Notice(key="a", kind="lead_given", subject="lead", subject_id="1", values={"by": "vera"}),
            Notice(
                key="b",
                kind="follow_up_overdue",
                subject="follow_up",
                subject_id="1",
                values={"line": LINE, "due_at": now.isoformat(), "owner": "anna"},
            ),
        )
        for one in told:
            await tell(connection, LIVED_IN, one, ["anna"], at=now.replace(hour=9))
    await add_connection(site.engine, "https://crm.example.com/told")
    talked = Told(site.engine, name="Иван Петров", number="79165550171", at=now - timedelta(minutes=50))
    await talked.arrives(owner="anna")
    await talked.rings("PJSIP/anna-desk", "PJSIP/boris-soft")
    await talked.answers("PJSIP/anna-desk")
    await talked.hangs_up(after=30)
    await talked.keeps(site.store, SAID)
    await talked.tell(PartyLinked(**talked.base(), party=1, lead=1, created="nothing"))
    async with site.engine.begin() as connection:
        said = {"call_id": talked.id, "at": 7.5, "by": "vera", "text": "Здесь надо было назвать цену сразу"}
        await connection.execute(insert(comments).values(said))
    missed = Told(site.engine, number="79165550144", at=now - timedelta(minutes=20))
    await missed.arrives()
    await missed.rings("PJSIP/anna-desk", "PJSIP/boris-soft")
    await missed.hangs_up(after=20)
    await missed.is_promised()
    talks = Told(site.engine, name="Константин Константинопольский", number="79165550145", at=now)
    await talks.arrives()
    await talks.rings("PJSIP/boris-soft")
    await talks.answers("PJSIP/boris-soft", after=3)
    rings = Told(site.engine, name="Иван Петров", number="79165550171", at=now)
    await rings.arrives(owner="anna")
    await rings.rings("PJSIP/anna-desk")


async def _book(connection: AsyncConnection, now: datetime) -> None:
    """Clients with leads at several stages, one of them late, with a note, a task and details."""
    anna = By(who="anna", at=now - timedelta(days=3))
    for name, number, stage, owner in (
        ("Иван Петров", "79165550171", "qualifying", "anna"),
        ("Мария Александровна Белозерская-Преображенская", "79165550172", "in_work", "boris"),
        ("ООО «Северо-Западная строительная компания»", "74955550173", "new", None),
        ("Пётр", "79165550174", "lost", "anna"),
    ):
        party = await connection.scalar(insert(parties).values(name=name).returning(parties.c.id))
        await connection.execute(insert(party_numbers).values(number=number, party_id=party))
        lead = await open_lead(
            connection, LIVED_IN, int(party or 0), anna, stage=stage, owner=owner, line=LINE, minutes=60
        )
        if stage == "qualifying":
            await add_note(connection, lead, "Хочет угловую двушку на Лесной, выше пятого этажа", anna)
            await add_task(connection, LIVED_IN, lead, "Отправить планировки", anna, assignee="anna", due_at=now)
            await set_fields(connection, LIVED_IN, lead, {"проект": "Лесная", "бюджет": "5 000 000"}, anna)

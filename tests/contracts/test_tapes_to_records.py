"""Every tape makes the record that a person who watched the call would write down, from either witness."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from calls.view import to_json
from service.commands.replay import replay
from tests.lab.scenarios.catalogue import SCENARIOS
from tests.lab.scenarios.record import alike, told

AMI_ONLY = {"mobile_refused", "queue_timeout", "queue_again"}
"""A refusal is a UserEvent, the end of a wait is QUEUESTATUS: CEL tells neither."""

ORDER_TELLS = {"blind_unanswered", "blonde", "hunt_missed", "mobile_refused", "queue_abandon", "voicemail"}
"""What became of a leg here is told only by what came before what."""

TAPES = Path(__file__).parents[1] / "tapes"
SECONDS = 0.3
"""How far a span of a tape may be off what its scenario says: people are not machines."""

CALLER = {"number": "79161234567", "name": "Клиент", "device": "PJSIP/trunk"}
M1, M2, M3, TRUNK = "PJSIP/m1", "PJSIP/m2", "PJSIP/m3", "PJSIP/trunk"
CLIENT = "79161234567"


@dataclass(frozen=True)
class Record:
    """What to expect; spans are seconds."""

    status: str
    legs: tuple[tuple[str, str, int | None], ...]  # (device, outcome, hangup cause)
    dialed: str = "500"
    direction: str = "inbound"
    missed_cause: str | None = None
    answered_by: tuple[str, ...] = ()
    talks: tuple[tuple[str, str], ...] = ()
    transfers: tuple[tuple[str, str, str, tuple[str, ...]], ...] = ()
    pickups: tuple[tuple[str, str], ...] = ()
    forwards: tuple[tuple[str, str], ...] = ()
    queues: tuple[tuple[str, str], ...] = ()
    recordings: tuple[str, ...] = ()
    wait: float = 0.0
    talk: float = 0.0
    hold: float = 0.0


RECORDS = {
    "answered": Record(
        "answered", ((M1, "answered", 16),), answered_by=(M1,), talks=((CLIENT, M1),), wait=0.41, talk=1.5
    ),
    "noanswer": Record("missed", ((M1, "no_answer", 0),), missed_cause="rang_out", wait=6.0),
    "busy": Record("missed", ((M1, "busy", 17),), missed_cause="all_busy", wait=0.2),
    "abandon": Record("missed", ((M1, "cancelled", 127),), missed_cause="caller_gave_up_early", wait=1.51),
    "unregistered": Record(
        "missed", (("PJSIP/m8", "unavailable", None),), dialed="505", missed_cause="device_unreachable"
    ),
    "fork_ringall": Record(
        "answered",
        ((M1, "answered_elsewhere", 26), (M2, "answered", 16), (M3, "busy", 17)),
        dialed="501",
        answered_by=(M2,),
        talks=((CLIENT, M2),),
        wait=0.81,
        talk=1.0,
    ),
    "hunt": Record(
        "answered",
        ((M1, "no_answer", 0), (M2, "busy", 17), (M3, "answered", 16)),
        dialed="502",
        answered_by=(M3,),
        talks=((CLIENT, M3),),
        wait=2.72,
        talk=1.0,
    ),
    "blind_refer": Record(
        "answered",
        ((M1, "answered", 16), (M2, "answered", 16)),
        answered_by=(M1, M2),
        talks=((CLIENT, M1), (CLIENT, M2)),
        transfers=(("blind", M1, "102", (M2,)),),
        wait=0.4,
        talk=3.1,
    ),
    "atxfer_refer": Record(
        "answered",
        ((M1, "answered", 16), (M2, "answered", 16)),
        answered_by=(M1, M2),
        talks=((CLIENT, M1), (M1, M2), (CLIENT, M2)),
        transfers=(("attended", M1, "102", (M2,)),),
        wait=0.4,
        talk=5.22,
    ),
    "pickup": Record(
        "answered",
        ((M1, "answered_elsewhere", 16), (M2, "answered", 16)),
        answered_by=(M2,),
        talks=((CLIENT, M2),),
        pickups=((M2, M1),),
        wait=1.51,
        talk=0.7,
    ),
    "queue_ringall": Record(
        "answered",
        ((M2, "answered", 16), (M1, "answered_elsewhere", 26)),
        dialed="503",
        answered_by=(M2,),
        talks=((CLIENT, M2),),
        queues=(("sales", "answered"),),
        wait=1.71,
        talk=2.29,
    ),
    "mobile_confirm": Record(
        "answered",
        ((TRUNK, "answered", 16),),
        dialed="504",
        answered_by=(TRUNK,),
        talks=((CLIENT, "79001112233"),),
        wait=2.01,  # the mobile was up after 0.5 s; the person pressed 1 after 2 s
        talk=1.5,
    ),
    "local_optimize": Record(
        "answered",
        ((M1, "answered", 16),),
        dialed="507",
        answered_by=(M1,),
        talks=((CLIENT, M1),),
        wait=0.51,
        talk=1.5,
    ),
    "click2call": Record(
        "answered",
        ((TRUNK, "answered", 16),),
        dialed="79001112233",
        direction="outbound",
        answered_by=(TRUNK,),
        talks=((M1, "79001112233"),),
        wait=1.31,
        talk=2.7,
    ),
    "mixmonitor": Record(
        "answered",
        ((M1, "answered", 16),),
        dialed="510",
        answered_by=(M1,),
        talks=((CLIENT, M1),),
        recordings=("/var/spool/asterisk/monitor/1795427050.40921.wav",),
        wait=0.5,
        talk=1.5,
    ),
    "redirect_routed": Record(
        "answered",
        ((M1, "answered", 16),),
        dialed="903",
        answered_by=(M1,),
        talks=((CLIENT, M1),),
        wait=0.51,
        talk=1.0,
    ),
    "atxfer_feature": Record(
        "answered",
        ((M1, "answered", 16), (M2, "answered", 16)),
        dialed="520",
        answered_by=(M1, M2),
        talks=((CLIENT, M1), (M1, M2), (CLIENT, M2)),
        transfers=(("attended", M1, "102", (M2,)),),
        wait=0.41,
        talk=6.08,
        hold=3.53,
    ),
    "three_way": Record(
        "answered",
        ((M1, "answered", 16), (M2, "answered", 16)),
        dialed="520",
        answered_by=(M1, M2),
        talks=((CLIENT, M1), (M1, M2), (CLIENT, M2), (CLIENT, M1)),
        transfers=(("attended", M1, "102", (M2,)),),
        wait=0.41,
        talk=6.38,
        hold=3.52,
    ),
    "blonde": Record(
        "answered",
        ((M1, "answered", 16), (M2, "answered", 16)),
        dialed="520",
        answered_by=(M1, M2),
        talks=((CLIENT, M1), (CLIENT, M2)),
        transfers=(("blonde", M1, "102", (M2,)),),
        wait=0.41,
        talk=4.12,
        hold=1.87,
    ),
    "blind_unanswered": Record(
        "answered",
        ((M1, "answered", 16), (M2, "cancelled", 16)),
        dialed="520",
        answered_by=(M1,),
        talks=((CLIENT, M1),),
        transfers=(("blind", M1, "102", ()),),
        wait=0.41,
        talk=2.64,
        hold=1.12,
    ),
    "caller_transfers": Record(
        "answered",
        ((M2, "answered", 16), (M3, "answered", 16)),
        dialed="102",
        direction="internal",
        answered_by=(M2, M3),
        talks=((M1, M2), (M2, M3)),
        transfers=(("blind", M1, "103", (M3,)),),
        wait=0.41,
        talk=3.94,
        hold=1.12,
    ),
    "forward_302": Record(
        "answered",
        ((M1, "failed", 23), (M2, "answered", 16)),
        answered_by=(M2,),
        talks=((CLIENT, M2),),
        forwards=((M1, "102"),),
        wait=0.62,
        talk=1.01,
    ),
    "hunt_missed": Record(
        "missed",
        ((M1, "no_answer", 0), (M2, "busy", 17)),
        dialed="535",
        missed_cause="rang_out",
        wait=3.02,
    ),
    "internal": Record(
        "answered",
        ((M2, "answered", 16),),
        dialed="102",
        direction="internal",
        answered_by=(M2,),
        talks=((M1, M2),),
        wait=0.41,
        talk=1.0,
    ),
    "local_plain": Record(
        "answered",
        ((M1, "answered", 16),),
        dialed="534",
        answered_by=(M1,),
        talks=((CLIENT, M1),),
        wait=0.42,
        talk=2.01,
    ),
    "menu": Record("missed", (), dialed="525", missed_cause="menu_dead_end", wait=3.35),
    "mobile_refused": Record(
        "missed",
        ((M1, "cancelled", 16), (TRUNK, "rejected", 16)),
        dialed="530",
        missed_cause="caller_gave_up_early",
        wait=3.32,
    ),
    "mobile_wins": Record(
        "answered",
        ((M1, "answered_elsewhere", 26), (TRUNK, "answered", 16)),
        dialed="530",
        answered_by=(TRUNK,),
        talks=((CLIENT, "79160000011"),),
        wait=0.92,
        talk=1.9,
    ),
    "outbound": Record(
        "answered",
        ((TRUNK, "answered", 16),),
        dialed="79160000022",
        direction="outbound",
        answered_by=(TRUNK,),
        talks=((M1, "79160000022"),),
        wait=0.51,
        talk=1.0,
    ),
    "outbound_busy": Record("failed", ((TRUNK, "busy", 17),), dialed="79160000022", direction="outbound", wait=0.01),
    "park": Record(
        "answered",
        ((M1, "answered", 16), (M2, "answered", 16)),
        dialed="520",
        answered_by=(M1, M2),
        talks=((CLIENT, M1), (CLIENT, M2)),
        wait=0.41,
        talk=2.0,
        hold=2.76,
    ),
    "park_abandoned": Record(
        "answered",
        ((M1, "answered", 16),),
        dialed="520",
        answered_by=(M1,),
        talks=((CLIENT, M1),),
        wait=0.41,
        talk=1.5,
        hold=2.26,
    ),
    "queue_abandon": Record(
        "missed",
        ((M2, "cancelled", 0), (M1, "cancelled", 0)),
        dialed="522",
        missed_cause="caller_gave_up_early",
        queues=(("sales", "abandoned"),),
        wait=1.81,
    ),
    "queue_again": Record(
        "answered",
        ((M2, "no_answer", 0), (M1, "no_answer", 0), (M2, "answered_elsewhere", 26), (M1, "answered", 16)),
        dialed="523",
        answered_by=(M1,),
        talks=((CLIENT, M1),),
        queues=(("sales", "timeout"), ("sales", "answered")),
        wait=3.26,
        talk=1.5,
    ),
    "queue_timeout": Record(
        "missed",
        ((M2, "no_answer", 0), (M1, "no_answer", 0)),
        dialed="528",
        missed_cause="queue_timeout",
        queues=(("sales", "timeout"),),
        wait=2.01,
    ),
    "rejected": Record("missed", ((M1, "rejected", 21),), missed_cause="rejected", wait=0.41),
    "ring_group_abandon": Record(
        "missed",
        ((M1, "cancelled", 16), (M2, "cancelled", 16)),
        dialed="533",
        missed_cause="caller_gave_up_early",
        wait=6.02,
    ),
    "voicemail": Record("voicemail", ((M1, "no_answer", 0),), dialed="524", wait=4.01),
}


PLAYED = [name for name, one in SCENARIOS.items() if one.taped and name not in RECORDS]
"""The scenarios of tests/lab/scenarios: their tapes are recorded from them, and their records stand beside them."""


def record_of(*tapes: Path) -> dict[str, Any]:
    (seen,), skipped = replay(tapes)
    assert skipped == 0
    return to_json(seen)


def test_every_tape_has_its_record() -> None:
    assert {tape.stem for tape in TAPES.glob("*.ami")} == {*RECORDS, *PLAYED}


def test_the_tapes_page_tells_every_tape_and_scenario() -> None:
    """What a tape is of can be read without playing it."""
    page = (TAPES / "README.md").read_text(encoding="utf-8")
    for one in SCENARIOS.values():
        taped = "yes" if (TAPES / f"{one.name}.ami").exists() else "no"
        assert f"| {one.name} | {one.story} | {taped} |\n" in page
    rows = {name for row in page.splitlines() if row.startswith("| ") for name in row.split(" | ")[0][2:].split(", ")}
    assert set(RECORDS) <= rows


@pytest.mark.parametrize("witness", ["ami", "cel", "both"])
@pytest.mark.parametrize("name", PLAYED)
def test_a_scenarios_tape_makes_its_record(name: str, witness: str) -> None:
    """As a person who watched would write it down: the scenario's own words, read from its tape."""
    scenario = SCENARIOS[name]
    tapes = {"ami": [".ami"], "cel": [".cel.csv"], "both": [".ami", ".cel.csv"]}[witness]
    seen, skipped = replay(TAPES / f"{name}{tape}" for tape in tapes)
    assert skipped == 0
    for one, wanted in zip(seen, scenario.records, strict=True):
        assert alike(told(one), wanted, SECONDS, scenario.unknown_to(witness, wanted)) == wanted


@pytest.mark.parametrize("witness", [".ami", ".cel.csv", "both"])
@pytest.mark.parametrize("name", sorted(RECORDS))
def test_a_tape_makes_its_record(name: str, witness: str) -> None:
    """Who called, who answered, what became of each device, who talked with whom and for how long."""
    tapes = [".ami", ".cel.csv"] if witness == "both" else [witness]
    record, wanted = record_of(*(TAPES / f"{name}{tape}" for tape in tapes)), RECORDS[name]
    assert record["status"] == wanted.status
    assert (record["direction"], record["dialed"]) == (wanted.direction, wanted.dialed)
    if wanted.direction == "inbound":
        assert record["caller"] == CALLER
    else:
        assert record["caller"] == {"number": "101", "name": "Менеджер 1", "device": M1}
    assert record["answered_by"] == list(wanted.answered_by)
    legs = [(leg["device"], leg["outcome"], leg["hangup_cause"]) for leg in record["legs"]]
    queues = [(queue["name"], queue["outcome"]) for queue in record["queues"]]
    if witness != ".cel.csv" or name not in AMI_ONLY:
        assert (legs, queues) == (list(wanted.legs), list(wanted.queues))
        assert record["missed_cause"] == wanted.missed_cause
    assert [tuple(talk["between"]) for talk in record["talks"]] == list(wanted.talks)
    transfers = [(t["kind"], t["by"], t["to"], tuple(t["reached"])) for t in record["transfers"]]
    assert transfers == list(wanted.transfers)
    assert [t["completed"] for t in record["transfers"]] == [bool(reached) for _, _, _, reached in wanted.transfers]
    assert [(pickup["by"], pickup["of"]) for pickup in record["pickups"]] == list(wanted.pickups)
    assert [(forward["by"], forward["to"]) for forward in record["forwards"]] == list(wanted.forwards)
    assert record["recordings"] == list(wanted.recordings)
    assert record["wait_seconds"] == pytest.approx(wanted.wait, abs=0.006)
    assert record["talk_seconds"] == pytest.approx(wanted.talk, abs=0.006)
    if witness != ".cel.csv" or name.startswith("park"):
        assert record["hold_seconds"] == pytest.approx(wanted.hold, abs=0.006)  # CEL tells parking, not hold
    assert record["started_at"] < record["ended_at"]


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_only_ringing_phones_rang(name: str) -> None:
    """AMI tells ringing: a dialled phone rang, unless it was busy at once, had no registration, or dialled itself."""
    silent = {("unregistered", "PJSIP/m8"), ("pickup", M2), ("park", M2), ("hunt_missed", M2), ("outbound_busy", TRUNK)}
    for leg in record_of(TAPES / f"{name}.ami")["legs"]:
        assert (leg["rang_at"] is None) == ((name, leg["device"]) in silent)


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_a_tape_without_times_tells_every_untimed_fact(name: str, tmp_path: Path) -> None:
    """Without timestampevents the record is the same but for its times."""
    for tape in (f"{name}.ami", f"{name}.cel.csv"):
        timed = record_of(TAPES / tape)
        text = (TAPES / tape).read_bytes().decode().replace(",eventtime,", ",unused,").replace("Timestamp: ", "Ts: ")
        untimed = tmp_path / tape
        untimed.write_text(text.replace("EventTime: ", "Et: "), encoding="utf-8", newline="")
        record = record_of(untimed)
        for fact in ("direction", "caller", "dialed", "status", "answered_by", "recordings"):
            assert record[fact] == timed[fact], fact
        if name in ORDER_TELLS:
            continue
        assert record["missed_cause"] == timed["missed_cause"]
        outcomes = {leg["device"]: leg["outcome"] for leg in timed["legs"]}
        assert {leg["device"]: leg["outcome"] for leg in record["legs"]} == outcomes
        assert {frozenset(talk["between"]) for talk in record["talks"]} == {
            frozenset(talk["between"]) for talk in timed["talks"]
        }

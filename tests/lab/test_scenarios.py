"""Everything that people do with telephones, played by real ones on a real PBX, makes the record it should.

All scenarios play on one Asterisk, many at once: so the records also show that calls do not run into each other.
"""

import pytest

from calls.view import CallView
from tests.lab.scenarios.catalogue import SCENARIOS
from tests.lab.scenarios.play import Played, play
from tests.lab.scenarios.record import alike, told
from tests.lab.scenarios.witnesses import calls, common, of_ami, of_cel

SECONDS = 2.5
"""How far a span may be off what was played: tapes hold it to 0.3 s, here the machine may be busy with other tests."""

# The first test waits for all scenarios.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
async def played() -> Played:
    """All of them, played once."""
    return await play(list(SCENARIOS.values()))


@pytest.fixture(scope="module")
def seen(played: Played) -> dict[str, dict[str, list[CallView]]]:
    """The calls by witness and scenario."""
    ami, cel = of_ami(played.ami), of_cel(played.cel)
    told_by = {"ami": calls(ami), "cel": calls(cel), "both": calls([*ami, *cel])}
    return {witness: played.by_scenario(records) for witness, records in told_by.items()}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_is_played_to_its_end(name: str, played: Played) -> None:
    """Every telephone did and saw what the scenario says."""
    if name in played.failed:
        raise played.failed[name]


@pytest.mark.parametrize("witness", ["ami", "cel", "both"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_makes_its_record(
    name: str, witness: str, played: Played, seen: dict[str, dict[str, list[CallView]]]
) -> None:
    """As a person who watched would write it down, whoever of the two witnesses tells it."""
    scenario, place = SCENARIOS[name], played.places[name]
    records = [told(one, place.plain) for one in seen[witness][name]]
    assert len(records) == len(scenario.records)
    for record, wanted in zip(records, scenario.records, strict=True):
        assert alike(record, wanted, SECONDS, scenario.unknown_to(witness, wanted)) == wanted


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_witnesses_agree(name: str, seen: dict[str, dict[str, list[CallView]]]) -> None:
    """On what both can know, to the channel and the hang-up cause; together they tell what AMI alone tells."""
    unknown = SCENARIOS[name].unknown_to_any
    facts = {
        witness: [{fact: told for fact, told in common(one).items() if fact not in unknown} for one in of[name]]
        for witness, of in seen.items()
    }
    calls_told = {witness: len(told) for witness, told in facts.items()}
    assert len(set(calls_told.values())) == 1, calls_told
    for by_ami, by_cel, by_both in zip(*facts.values(), strict=True):
        differing = {fact: (by_ami[fact], by_cel[fact], by_both[fact]) for fact in by_ami}
        assert {fact: told for fact, told in differing.items() if not told[0] == told[1] == told[2]} == {}

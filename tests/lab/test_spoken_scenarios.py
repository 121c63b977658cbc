"""Every talk that people have with telephones is recorded whole, each side apart, and its text says what was said.

Scenarios that talk are played on one Asterisk, by telephones that speak: human prompts whose words are known. What a
recording must hold follows from the record: who heard whom when each of them spoke. All of them are played by
`SWITCHHOOK_SPOKEN=all pytest tests/lab/test_spoken_scenarios.py`.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import wave
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calls.call import Call, Channel, facts
from calls.events import RecordingStarted
from calls.talks import Span, covered_seconds, talks
from calls.view import party_of_talk, view
from recordings.heard import Heard
from recordings.model import SpeechSettings
from recordings.names import SIDES
from recordings.speech import Speech
from recordings.wav import read_header
from service.commands.replay import fold
from service.demo_world.speech import seconds
from service.installed import locate, prompt_texts
from service.settings import TranscriptionSettings
from tests.fakes.recorded import write_wav
from tests.lab.scenarios.answers import SECOND
from tests.lab.scenarios.catalogue import SCENARIOS
from tests.lab.scenarios.play import Played, play
from tests.lab.scenarios.scenario import Scenario
from tests.lab.scenarios.stage import CALLER, CLIENT, MOBILE, Voices
from tests.lab.scenarios.telephones import Said
from tests.lab.scenarios.witnesses import of_ami

pytestmark = pytest.mark.timeout(580)

SAYS = {
    CALLER: "please-try-again",
    "m1": "queue-thankyou",
    "m2": "number-not-answering",
    "m3": "vm-deleted",
    "m4": "conf-full",
    SECOND: "vm-nomore",
    CLIENT: "from-unknown-caller",
    MOBILE: "confbridge-unmuted",
}
"""Who says which of Debian's prompts; Whisper base hears every word of them at 8 kHz."""

WAYS = """
answered hold outbound_by_ours outbound internal click2call click2call_client_first
blind_refer_answered blind_code_answered blind_ami_answered blind_redirect_answered blind_refer_to_queue
blind_refer_outside chain_of_three transferred_back caller_transfers
attended_refer_answered attended_code_answered attended_ami_answered attended_refer_outside blonde_rejected
pickup pickup_of_transferred queue_in_turn queue_with_mobile park_by_refer park_comes_back conference mobile_confirm
mobile_routed held_and_served forward_302_twice two_callers_joined
"""
"""One scenario of each way in which a talk comes about and moves on; a play of all of them takes minutes."""

ASKED = os.environ.get("SWITCHHOOK_SPOKEN", WAYS).split()
"""The names of the scenarios to play in place of these, or `all`: every one in which somebody talks."""

TALKING = (
    [one for one in SCENARIOS.values() if any(record.talks for record in one.records)]
    if ASKED == ["all"]
    else [SCENARIOS[name] for name in ASKED]
)
AT_ONCE = 14
HEARD_LEAST = 0.75
"""Of the words that a side said in a recording, so many are in its text."""
EDGE_SECONDS = 0.15
"""What is said so near the edge of a talk may be cut; the PBX's clock and the telephone's ear differ a little."""
RATE = 8000
FOR_EVER = datetime.max.replace(tzinfo=UTC)
QUIET = 300
"""No sample of silence, and of what A-law makes of it, is louder."""


def words_of(who: str) -> list[str]:
    return plain(prompt_texts("en")[SAYS[who]])


def plain(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def voices(one: Scenario) -> Voices:
    """Everybody at once, for each has a channel; one after the other where three hear each other."""
    files = {who: locate().sounds["en"] / f"{prompt}.wav" for who, prompt in SAYS.items()}
    outside = tuple(who for who in SAYS if who.isdigit())
    staff = tuple(who for who in SAYS if not who.isdigit())
    together = any(record.conference for record in one.records)
    turns = (outside, *((who,) for who in staff)) if together else (tuple(SAYS),)
    return Voices(files, max(seconds((f"en/{prompt}",)) for prompt in SAYS.values()) + 2 * EDGE_SECONDS, turns)


@dataclass
class Side:
    """One side of a recording. `must`: what was said while it was heard, in order; `may`: at an edge, or on hold."""

    must: list[Said]
    may: list[Said]
    sound: bytes
    heard: list[str] = field(default_factory=list)


@dataclass
class Recorded:
    """One recorded channel of a scenario's call: who it is, and how long it was in bridges."""

    scenario: str
    channel: str
    who: str
    bridged: float
    sides: dict[str, Side]

    def __str__(self) -> str:
        return f"{self.scenario} {self.who}"

    def keep(self, heard: Heard) -> None:
        """What was heard on each side, in plain words."""
        for name, words in heard.words.items():
            self.sides[str(name)].heard = [part for word in words for part in plain(word.text)]

    def write(self, folder: Path) -> dict[str, Path]:
        """Both sides as files, without the long silences that nobody needs to hear."""
        files = {name: folder / f"{self.channel}-{name}.wav" for name in self.sides}
        return {
            name: write_wav(path, without_silence(self.sides[name].sound).tobytes()) for name, path in files.items()
        }


@pytest.fixture(scope="module")
async def played() -> Played:
    """All that talk, played once."""
    return await play(TALKING, voices, AT_ONCE)


@pytest.fixture(scope="module")
async def recorded(played: Played, tmp_path_factory: pytest.TempPathFactory) -> list[Recorded]:
    """Every recording of theirs that somebody talks in, heard by the engine of the service, many at once."""
    found = list(recordings(played))
    folder = tmp_path_factory.mktemp("spoken")
    speech = Speech(SpeechSettings(TranscriptionSettings().model_path, language="en"))
    heard = await asyncio.gather(*(speech.transcribe(one.write(folder)) for one in found))
    for one, told in zip(found, heard, strict=True):
        one.keep(told)
        # Where the same is said again and again Whisper loses count, the more the longer: then a side is heard alone.
        for name, file in one.write(folder).items():
            if wrong(one.sides[name]):
                one.keep(await speech.transcribe({name: file}))
    await speech.close()
    return found


def recordings(played: Played) -> Iterator[Recorded]:
    """What the PBX recorded of each scenario, with what it must hold."""
    for call in fold(of_ami(played.ami)):
        seen = view(call)
        owners = [name for name, calls in played.by_scenario([seen]).items() if calls]
        if not seen.caller_channel or not owners:
            continue
        plain_name = played.places[owners[0]].plain
        for channel in seen.recorded:
            partners = heard_by(call, channel)
            if partners:
                who = {uid: name_in(call, plain_name, uid) for uid in (channel, *partners)}
                own = {who[channel]: [(channel, [span for spans in partners.values() for span in spans])]}
                files = {name: played.files.get(f"{channel}-{name}.wav", b"") for name in SIDES}
                said, began = played.said[owners[0]], began_at(call, channel)
                sides = {
                    "caller": side(said, own, call, began, files["caller"]),
                    "staff": side(said, by_name(who, partners), call, began, files["staff"]),
                }
                yield Recorded(owners[0], channel, who[channel], bridged_seconds(call.channels[channel], began), sides)


Spans = list[Span]
Partners = dict[str, Spans]
"""By channel: when the recorded one and it heard each other."""


def heard_by(call: Call, channel: str) -> Partners:
    """Whom the channel heard, and when."""
    partners: Partners = defaultdict(list)
    for talk in talks(call):
        if channel in {talk.one, talk.other}:
            partners[talk.other if talk.one == channel else talk.one].append(talk.span)
    return partners


def by_name(who: Mapping[str, str], partners: Partners) -> dict[str, list[tuple[str, Spans]]]:
    """The same by who it is: a telephone may be in a call twice, one after the other."""
    named: dict[str, list[tuple[str, Spans]]] = defaultdict(list)
    for channel, spans in partners.items():
        named[who[channel]].append((channel, spans))
    return named


def began_at(call: Call, channel: str) -> datetime:
    """When the PBX began to record it."""
    return min(fact.at for fact in facts(call, RecordingStarted) if fact.channel == channel and fact.at)


def name_in(call: Call, plain_name: Callable[[Any], Any], channel: str) -> str:
    """Whose voice a channel carries, as SAYS names them."""
    return str(plain_name(party_of_talk(call, channel))).removeprefix("PJSIP/")


def side(
    said: Sequence[Said],
    speakers: Mapping[str, list[tuple[str, Spans]]],
    call: Call,
    began: datetime,
    sound: bytes,
) -> Side:
    """What of all that was said this side holds; it must hold what was said whole after its recording `began`."""
    told = Side([], [], sound)
    for one in once(said):
        parts = [part(call, channel, one, spans) for channel, spans in speakers.get(one.who, ())]
        at = datetime.fromtimestamp(one.at, UTC)
        if "whole" in parts and began <= at:
            told.must.append(one)
        elif set(parts) - {"nothing"}:
            told.may.append(one)
    return told


def once(said: Sequence[Said]) -> Iterator[Said]:
    """What was said in the order of time; who is in two calls says it in both at one moment, and each carries one."""
    before: dict[str, float] = {}
    for one in sorted(said):
        if one.at - before.get(one.who, 0.0) > EDGE_SECONDS:
            yield one
        before[one.who] = one.at


def part(call: Call, channel: str, said: Said, spans: Spans) -> str:
    """How much of what was said is in these talks: whole, some, or nothing; on hold it may be heard or not."""
    since = datetime.fromtimestamp(said.at, UTC)
    until = since + timedelta(seconds=seconds((f"en/{SAYS[said.who]}",)))
    edge = timedelta(seconds=EDGE_SECONDS)
    ends = [(span.since, span.until or FOR_EVER) for span in spans]
    if not any(began < until and since < ended for began, ended in ends):
        return "nothing"
    held = [on for at, on in sorted(call.channels[channel].holds) if at <= since + edge]
    whole = any(began <= since + edge and until - edge <= ended for began, ended in ends)
    return "whole" if whole and not (held and held[-1]) else "some"


def bridged_seconds(channel: Channel, since: datetime) -> float:
    """How long the channel was in bridges of any kind from then on: so long is recorded."""
    entered: dict[str, datetime] = {}
    spans: Spans = []
    for stay in sorted(channel.stays):
        if stay.entered:
            entered.setdefault(stay.bridge, stay.at)
        elif stay.bridge in entered:
            spans.append(Span(max(entered.pop(stay.bridge), since), max(stay.at, since)))
    spans += [Span(max(at, since), channel.ended_at) for at in entered.values()]
    return covered_seconds(spans)


def without_silence(sound: bytes) -> Any:
    """The samples of a WAV file, pauses cut to a third of a second: a voice is loud, and the PBX's silence is none."""
    with wave.open(io.BytesIO(sound)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16)
    frame = RATE // 50
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    loud = np.abs(frames).max(axis=1, initial=0) > QUIET
    near = np.convolve(loud, np.ones(17), "same") > 0
    return frames[near].reshape(-1)


def find(recorded: list[Recorded], scenario: str) -> list[Recorded]:
    return [one for one in recorded if one.scenario == scenario]


@pytest.mark.parametrize("name", [one.name for one in TALKING])
def test_every_talk_has_whole_audio_of_both_sides(name: str, played: Played, recorded: list[Recorded]) -> None:
    """Closed, of one length, as long as the channel was in bridges, and with sound where somebody spoke."""
    if name in played.failed:
        raise played.failed[name]
    mine = find(recorded, name)
    assert any(side.must for one in mine for side in one.sides.values()), "nobody is known to have spoken"
    for one in mine:
        heads = {told: read_header(side.sound[:512], len(side.sound)) for told, side in one.sides.items()}
        assert all(head.whole for head in heads.values()), one
        lengths = [head.seconds for head in heads.values()]
        assert abs(lengths[0] - lengths[1]) <= 0.1, (one, lengths)
        assert abs(lengths[0] - one.bridged) <= 1.0, (one, lengths, one.bridged)
        assert all(len(without_silence(side.sound)) for side in one.sides.values() if side.must), one


@pytest.mark.parametrize("name", [one.name for one in TALKING])
def test_the_text_of_each_side_is_what_it_said_in_order(name: str, recorded: list[Recorded]) -> None:
    """Of who speaks on that side, nobody else, and after a transfer whoever came after it."""
    for one in find(recorded, name):
        for told, side in one.sides.items():
            assert wrong(side) == "", (str(one), told, side.must, side.heard)


def wrong(side: Side) -> str:
    """What is wrong with the text of a side: too little of what was said there in order, or another's words."""
    wanted = [word for said in side.must for word in words_of(said.who)]
    if in_order(wanted, side.heard) < HEARD_LEAST * len(wanted):
        return f"too little of {wanted}"
    may = {word for said in side.must + side.may for word in words_of(said.who)}
    foreign = (who for who in SAYS if len((set(words_of(who)) - may) & set(side.heard)) > len(words_of(who)) / 2)
    return "".join(f"words of {who}" for who in foreign)


def in_order(wanted: Sequence[str], heard: Sequence[str]) -> int:
    """How many of the wanted words were heard in their order (the longest common subsequence)."""
    row = [0] * (len(heard) + 1)
    for word in wanted:
        before = 0
        for at, told in enumerate(heard, 1):
            before, row[at] = row[at], before + 1 if word == told else max(row[at], row[at - 1])
    return row[-1]

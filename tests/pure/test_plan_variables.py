"""A plan becomes the dialplan's variables, or nothing at all."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.plan_variables import (
    OUTSIDE,
    UnsafeDialError,
    allow_out,
    consult_variable,
    fallback_string,
    line_variable,
    person_variables,
    refuse_out,
    send_variable,
    take_variable,
    variables,
)


@dataclass(frozen=True)
class Target:
    dial: str


@dataclass(frozen=True)
class Step:
    kind: str
    targets: tuple[Target, ...]
    seconds: float = 20


def step(kind: str, *dials: str, seconds: float = 20) -> Step:
    return Step(kind, tuple(Target(dial) for dial in dials), seconds)


def test_a_plan_becomes_the_variables_the_dialplan_reads() -> None:
    """Targets at once are joined; the last word starts it and brings the first step along."""
    plan = [
        step("ring", "PJSIP/anna-desk", "Local/79160000011@switchhook-mobile/n", seconds=14.2),
        step("message", "vm-nobodyavail", "digits/1"),
    ]
    assert variables(plan, language="ru", trunk="PJSIP/trunk") == [
        ("SWITCHHOOK_2", "message|20|vm-nobodyavail&digits/1"),
        ("SWITCHHOOK_GO", "2|ru|PJSIP/trunk|ring|15|PJSIP/anna-desk&Local/79160000011@switchhook-mobile/n"),
    ]


@pytest.mark.parametrize(
    "kind, dial",
    [
        ("ring", "PJSIP/anna-desk"),
        ("ring", "Local/79160000011*18@switchhook-mobile/n"),
        ("ring", "Local/79160000011*18*caller@switchhook-mobile/n"),
        ("ring", "PJSIP/79160000011@trunk"),
        ("ring", "SIP/101"),
        ("ring", "IAX2/branch"),
        ("ring", "DAHDI/1"),
        ("queue", "sales"),
        ("ring", "Local/74951112233@switchhook-outside/n"),
        ("hold", "sales"),
        ("voicemail", "101@default"),
        ("voicemail", "sales"),
        ("reject", "busy"),
        ("message", "ru/basic-pbx-ivr-main"),
    ],
)
def test_what_offices_really_dial_is_accepted(kind: str, dial: str) -> None:
    """The patterns are no narrower than the trade."""
    assert variables([step(kind, dial)]) == [("SWITCHHOOK_GO", f"1|||{kind}|20|{dial}")]


@pytest.mark.parametrize(
    "dial",
    [
        "",
        "anna-desk",
        "PJSIP/",
        "/anna",
        "PJSIP/anna,30,U(evil)",
        "PJSIP/anna&PJSIP/boris",
        "PJSIP/${SHELL(id)}",
        "PJSIP/anna\r\nAction: Originate",
        "PJSIP/anna\n",
        "PJSIP/анна",
        "PJSIP/anna desk",
        "PJSIP/anna^x",
        "PJSIP/anna/sip:7@203.0.113.1",
        "Local/s@from-internal",
        "Local/79160000011@switchhook-mobile",
        "Local/79160000011*1800@switchhook-mobile/n",
        "Local/79160000011*@switchhook-mobile/n",
        "Local/79160000011*18*anybody@switchhook-mobile/n",
        "Local/79160000011*caller@switchhook-mobile/n",
        "Local/79160000011@from-internal/n",
        "Local/79160000011@switchhook-mobile-x/n",
        "local/../x",
    ],
)
def test_what_could_become_dialplan_is_refused(dial: str) -> None:
    """A dial string cannot carry options, functions, other contexts or line breaks."""
    with pytest.raises(UnsafeDialError):
        variables([step("ring", dial)])
    with pytest.raises(UnsafeDialError):
        fallback_string(["PJSIP/anna-desk", dial])


@given(st.text(), st.sampled_from(["ring", "queue", "hold", "voicemail", "message", "reject"]))
def test_nothing_that_separates_or_evaluates_ever_passes(dial: str, kind: str) -> None:
    """Whatever a directory holds, what passes has no character with a meaning in the dialplan or in AMI."""
    try:
        pairs = variables([step(kind, dial)])
    except UnsafeDialError:
        return
    assert pairs[0][1].removeprefix(f"1|||{kind}|20|") == dial
    assert not set(dial) & set("\r\n\0,;()$[]{}\"'\\^|&<> ")


@pytest.mark.parametrize(
    "plan",
    [
        [],
        [step("ring", "PJSIP/anna-desk")] * 21,
        [step("ring")],
        [step("shell", "PJSIP/anna-desk")],
        [step("queue", "sales", "support")],
        [step("ring", "PJSIP/anna-desk", seconds=0)],
        [step("ring", "PJSIP/anna-desk", seconds=float("nan"))],
        [step("ring", "PJSIP/anna-desk", seconds=1e9)],
        [step("ring", *[f"PJSIP/somebody-with-a-long-name-{n}" for n in range(40)])],
    ],
)
def test_a_plan_that_cannot_run_is_refused(plan: list[Step]) -> None:
    """Nothing is handed over that the dialplan would have to cut or guess."""
    with pytest.raises(UnsafeDialError):
        variables(plan)


@pytest.mark.parametrize("language, trunk", [("ru\n", ""), ("../ru", ""), ("", "PJSIP/trunk,x"), ("", "trunk")])
def test_language_and_trunk_are_looked_at_too(language: str, trunk: str) -> None:
    """What is inherited by other channels is as dangerous."""
    with pytest.raises(UnsafeDialError):
        variables([step("ring", "PJSIP/anna-desk")], language=language, trunk=trunk)


def test_each_line_has_its_own_variables() -> None:
    """A line is its digits; anything else is no name of a variable."""
    assert line_variable("FALLBACK", "74951234567", "none") == ("SWITCHHOOK_FALLBACK_74951234567", "none")
    assert line_variable("TRUNK", "74951234567", "PJSIP/trunk") == ("SWITCHHOOK_TRUNK_74951234567", "PJSIP/trunk")
    assert fallback_string(["PJSIP/anna-desk", "PJSIP/boris-desk"]) == "PJSIP/anna-desk&PJSIP/boris-desk"
    for kind, line, value in (
        ("FALLBACK", "", "none"),
        ("FALLBACK", "+7495", "none"),
        ("FALLBACK", "x)", "none"),
        ("FALLBACK", "7495\n", "none"),
        ("TRUNK", "7495", "trunk,x"),
        ("LANGUAGE", "7495", "../ru"),
    ):
        with pytest.raises(UnsafeDialError):
            line_variable(kind, line, value)


@pytest.mark.parametrize(
    "kind, good, bad",
    [
        ("DESTINATIONS", "/112*/7+/7809-/", "/7+/$" + "{SHELL(id)}/"),
        ("DESTINATIONS", "/", "7+"),
        ("DIALLING", "7_8_810", "7|8|810"),
        ("DIALLING", "49__", "49"),
        ("SHOWN", "74951234567", "7495)"),
    ],
)
def test_what_calls_out_are_judged_by_is_digits_and_marks(kind: str, good: str, bad: str) -> None:
    """Nothing else of it reaches the dialplan, and so no regular expression of it."""
    assert line_variable(kind, "default", good) == (f"SWITCHHOOK_{kind}_default", good)
    with pytest.raises(UnsafeDialError, match=kind.lower()):
        line_variable(kind, "default", bad)


def test_a_refusal_repeats_no_number() -> None:
    """The text goes into logs: it names the person and the kind of device, never what would have been dialled."""

    @dataclass(frozen=True)
    class Mobile:
        dial: str
        person: str = "anna"
        kind: str = "mobile"
        device: str = "79160000011"

    @dataclass(frozen=True)
    class Ring:
        targets: tuple[Mobile, ...]
        kind: str = "ring"
        seconds: float = 20

    number = "79160000011"
    with pytest.raises(UnsafeDialError, match="ring target of anna/mobile") as plan:
        variables([Ring((Mobile(f"Local/{number}@elsewhere"),))])
    with pytest.raises(UnsafeDialError, match="fallback device 2") as fallback:
        fallback_string(["PJSIP/anna-desk", f"Local/{number}"])
    with pytest.raises(UnsafeDialError) as line:
        line_variable("FALLBACK", f"+{number}", "none")
    assert not [refusal for refusal in (plan, fallback, line) if number in str(refusal.value)]


def test_who_is_free_is_rung_by_one_variable() -> None:
    told = take_variable(step("ring", "PJSIP/anna-desk", "PJSIP/anna-soft", seconds=19.5))
    assert told == ("SWITCHHOOK_TAKE", "20||PJSIP/anna-desk&PJSIP/anna-soft")
    mobile = step("ring", "Local/79160000011*18@switchhook-mobile/n")
    assert take_variable(mobile, trunk="PJSIP/other")[1] == "20|PJSIP/other|Local/79160000011*18@switchhook-mobile/n"
    with pytest.raises(UnsafeDialError):
        take_variable(mobile, trunk="PJSIP/x|y")
    for unsafe in (step("message", "vm-goodbye"), step("ring", "PJSIP/anna|9"), step("ring")):
        with pytest.raises(UnsafeDialError):
            take_variable(unsafe)


def test_whom_a_client_is_sent_to_and_who_is_consulted_is_one_variable() -> None:
    """The number outside that is dialled has a word of its own: nothing is nowhere."""
    sent = send_variable("PJSIP/boris-desk", seconds=25, back="PJSIP/anna-desk")
    assert sent == ("SWITCHHOOK_SEND", "25||PJSIP/boris-desk|PJSIP/anna-desk")
    assert send_variable(OUTSIDE, seconds=60, back="PJSIP/anna-desk")[1] == "60||out|PJSIP/anna-desk"
    asked = consult_variable("PJSIP/boris-desk", seconds=25, trunk="PJSIP/other")
    assert asked == ("SHARED(SWITCHHOOK_CONSULT)", "25|PJSIP/other|PJSIP/boris-desk")
    assert consult_variable(OUTSIDE, seconds=60)[1] == "60||out"
    for unsafe in ("", "PJSIP/anna|9", "Local/79160000011@elsewhere"):
        with pytest.raises(UnsafeDialError):
            send_variable(unsafe, seconds=25)
        with pytest.raises(UnsafeDialError):
            consult_variable(unsafe, seconds=25)


@pytest.mark.parametrize("number", ["", "+74951112233", "7495111223x", "1", "7" * 21, "74951112233&PJSIP/x"])
def test_an_emergency_number_is_digits_or_none(number: str) -> None:
    """The dialplan makes a dial string of it."""
    assert line_variable("EMERGENCY", "74951234567", "74951112233") == (
        "SWITCHHOOK_EMERGENCY_74951234567",
        "74951112233",
    )
    assert line_variable("EMERGENCY", "74951234567", "none")[1] == "none"
    with pytest.raises(UnsafeDialError):
        line_variable("EMERGENCY", "74951234567", number)


# --- calls out --------------------------------------------------------------------------------------------------------


def test_the_answer_to_who_dials_names_both_numbers() -> None:
    """The one that is rung, and the one that was dialled, which is the only one that the answer serves."""
    told = allow_out("89161234567", "79161234567", shown="74951234567", trunk="PJSIP/trunk")
    assert told == "allow|74951234567|PJSIP/trunk|79161234567|89161234567"
    assert allow_out("112", "112") == "allow|||112|112"
    assert refuse_out("+79161234567") == "refuse||||+79161234567"


@pytest.mark.parametrize(
    "unsafe",
    [
        lambda: allow_out("112,1", "112"),
        lambda: allow_out("112", ""),
        lambda: allow_out("112", "112&PJSIP/x"),
        lambda: allow_out("112", "112", shown="1|2"),
        lambda: allow_out("112", "112", trunk="PJSIP/trunk|7900"),
        lambda: refuse_out("1+12"),
        lambda: person_variables("Local/5@anywhere", line="", trunk=""),
        lambda: person_variables("PJSIP/anna", line="7,1", trunk=""),
        lambda: person_variables("PJSIP/anna", line="", trunk="trunk"),
    ],
)
def test_nothing_unsafe_is_handed_to_the_dialplan_for_a_call_out(unsafe: Callable[[], object]) -> None:
    with pytest.raises(UnsafeDialError):
        unsafe()


@pytest.mark.parametrize("value", ["none", "custom/consent@3", "priv-recordintro&vm-goodbye@", "a@*"])
def test_what_callers_hear_first_may_stand_in_a_global(value: str) -> None:
    assert line_variable("CONSENT", "74951234567", value) == ("SWITCHHOOK_CONSENT_74951234567", value)


@pytest.mark.parametrize("value", ["none", "custom/consent@3@ru", "a&b@@", "a@*@pt_BR"])
def test_what_whoever_we_call_hears_first_may_stand_in_a_global(value: str) -> None:
    assert line_variable("CALLED", "74951234567", value) == ("SWITCHHOOK_CALLED_74951234567", value)


@pytest.mark.parametrize("value", ["", "a@3", "a@33@ru", "a@3@ru)", "a^b@3@ru", "a@3@ru@x", "a@3@${X}"])
def test_no_more_than_that_may(value: str) -> None:
    with pytest.raises(UnsafeDialError):
        line_variable("CALLED", "74951234567", value)


@pytest.mark.parametrize("value", ["", "custom/consent", "a@33", "a@#", "../a@3", "a,m@3", "a)@3", "a@3\n", "${X}@3"])
def test_nothing_else_may(value: str) -> None:
    with pytest.raises(UnsafeDialError):
        line_variable("CONSENT", "74951234567", value)

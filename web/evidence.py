"""What shows the cause of a missed call, in words (pure)."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from calls.missed import Evidence
from calls.view import CallView
from directory.model import Directory
from web.names import person_name
from web.timeline import Teller
from web.told import why
from web.wording import clock, duration
from web.words import has_words, say


def evidence(seen: CallView, directory: Directory, zone: ZoneInfo, language: str) -> list[str]:
    """A line for each thing that shows why this call was missed, also by a CRM alone; empty for a call that was not."""
    teller = Teller(directory, language)
    told = [line for one in seen.missed_evidence for line in _line(one, teller, zone)]
    told += [_not_told(dict(one.values), language) for one in seen.integration_lost]
    return list(dict.fromkeys(told))


def charged(seen: CallView, directory: Directory, language: str) -> str:
    """Who is to blame, in words; empty when nobody is."""
    names = ", ".join(person_name(directory, key) for key in seen.charged_to)
    return say(language, "call.charged", names=names) if names else ""


def _not_told(values: Mapping[str, str], language: str) -> str:
    return say(language, f"evidence.crm_{values['why']}", connection=values["connection"])


def _line(one: Evidence, teller: Teller, zone: ZoneInfo) -> Iterator[str]:
    values, language = dict(one.values), teller.language
    device = values.get("device", "")
    who = person_name(teller.directory, values.get("person")) or (teller.who(device) if device else "")
    match one.key:
        case "fallback":
            reason = values.get("reason", "down")
            yield say(language, "evidence.fallback_empty" if reason == "empty" else f"time.fallback_{reason}")
        case "reason" if has_words(f"cause.{values['reason']}") and values["reason"] != "crm_late":
            yield say(language, f"cause.{values['reason']}")
        case "reason":
            yield say(language, "evidence.look_up_late")
        case "passed_over":
            yield say(language, "evidence.passed_over", who=who, why=why(values.get("why", ""), language))
        case "leg":
            outcome = say(language, f"outcome.{values.get('outcome', 'none')}")
            rang = float(values["rang_seconds"])
            key = "evidence.leg_rang" if rang else "evidence.leg"
            yield say(language, key, who=who, outcome=outcome, time=duration(rang))
        case "queue" if has_words(f"time.queue_{values['outcome']}"):
            yield say(language, f"time.queue_{values['outcome']}", name=values.get("queue", ""))
        case "answered_by_pbx":
            yield say(language, "evidence.answered_by_pbx")
        case "unreachable":
            since = values.get("since")
            at = clock(datetime.fromisoformat(since), zone) if since else "…"
            yield say(language, "evidence.unreachable", who=who, since=at)
        case "step_unreached":
            yield say(language, "evidence.step_unreached", step=values["step"], status=values["status"])
        case "transfer":
            yield say(language, "evidence.transfer", to=values.get("to") or say(language, "time.somebody"))
        case "caller_left" | "pbx_ended":
            yield say(language, f"evidence.{one.key}", time=duration(float(values["seconds"])))
        case _:
            return

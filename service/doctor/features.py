"""What a PBX has loaded: our dialplan, and what pages ask of it, calls that are overheard and consultations."""

from __future__ import annotations

from typing import Final

from service.doctor.check import Check
from service.doctor.look import Asked
from service.doctor.pbx import HOW, told
from telephony import dialplan_version
from telephony.link import Link

_CONSULT: Final = f"see {HOW}, Hold, transfer and hang up from the page"
_OLD: Final = "the PBX's switchhook.conf is older than this version"


async def dialplan(asked: Asked) -> list[Check]:
    """Whether extensions.conf includes our file, and as this version ships it."""
    name, link = f"pbx {asked.pbx.name} dialplan", asked.link
    included = await told(link, "DIALPLAN_EXISTS(switchhook,s,1)")
    if not included:
        why, remedy = "cannot be told: the PBX has no func_dialplan", "asterisk -rx 'module load func_dialplan.so'"
        return [Check(name, "warn", why, remedy)]
    if included != "1":
        why, remedy = "switchhook.conf is not included: no call is asked about", f"see {HOW}, The dialplan"
        return [Check(name, "fail", why, remedy)]
    wanted = dialplan_version.version(dialplan_version.shipped())
    if not await _is(link, f"DIALPLAN_EXISTS({dialplan_version.CONTEXT},{wanted},1)"):
        why = f"another switchhook.conf is loaded than this version ships ({wanted})"
        remedy = "copy telephony/dialplan/switchhook.conf to the PBX, then asterisk -rx 'dialplan reload'"
        return [Check(name, "warn", why, remedy)]
    return [Check(name, "ok", f"included, {wanted}")]


async def features(asked: Asked) -> list[Check]:
    """Ask by Getvar, which needs no more rights than the service has."""
    link, pbx = asked.link, asked.pbx.name
    overhearing, consultations = f"pbx {pbx} overhearing", f"pbx {pbx} consultations"
    if not await _is(link, "IFMODULE(func_module.so)"):
        why, remedy = "cannot be told: the PBX has no func_module", "asterisk -rx 'module load func_module.so'"
        return [Check(name, "warn", why, remedy) for name in (overhearing, consultations)]
    return [await _overhearing(link, overhearing), await _consultations(link, consultations)]


async def _overhearing(link: Link, name: str) -> Check:
    if not await _is(link, "IFMODULE(app_chanspy.so)"):
        remedy = "asterisk -rx 'module load app_chanspy.so', and no noload of it in modules.conf"
        return Check(name, "warn", "no head overhears a call: app_chanspy is not loaded", remedy)
    if not await _is(link, "DIALPLAN_EXISTS(switchhook-overhear,s,1)"):
        return Check(name, "warn", f"no head overhears a call: {_OLD}", HOW)
    return Check(name, "ok", "app_chanspy is loaded")


async def _consultations(link: Link, name: str) -> Check:
    """Whether somebody can be asked before a client is handed over, and no key does what nobody wants."""
    key = await told(link, "FEATUREMAP(atxfer)")
    if not await _is(link, "DIALPLAN_EXISTS(switchhook-consult,00,1)"):
        why, remedy = f"nobody is consulted from the page, or sent to a number outside: {_OLD}", HOW
    elif not await _is(link, "IFMODULE(func_export.so)"):
        why, remedy = "nobody is consulted from the page: no func_export", "asterisk -rx 'module load func_export.so'"
    elif not key:
        why, remedy = "nobody is consulted from the page: features.conf has no atxfer", _CONSULT
    elif await told(link, "FEATUREMAP(blindxfer)") == "#":
        why, remedy = "phones that may consult send clients away by #: features.conf leaves blindxfer so", _CONSULT
    else:
        return Check(name, "ok", f"by the keys {key}")
    return Check(name, "warn", why, remedy)


async def _is(link: Link, question: str) -> bool:
    return await told(link, question) == "1"

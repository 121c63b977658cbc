"""What a PBX has loaded and set up for what pages ask of it: calls that are overheard, and consultations."""

from __future__ import annotations

from typing import Final

from service.commands.check import Check
from telephony.link import Link

_HOW: Final = "docs/how_to/connect_your_asterisk.md"
_CONSULT: Final = f"see {_HOW}, Hold, transfer and hang up from the page"
_OLD: Final = "the PBX's switchhook.conf is older than this version"


async def examine_features(link: Link, pbx: str) -> list[Check]:
    """Ask by Getvar, which needs no more rights than the service has. Raises LinkError."""
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
        return Check(name, "warn", f"no head overhears a call: {_OLD}", _HOW)
    return Check(name, "ok", "app_chanspy is loaded")


async def _consultations(link: Link, name: str) -> Check:
    """Whether somebody can be asked before a client is handed over, and no key does what nobody wants."""
    key = await _told(link, "FEATUREMAP(atxfer)")
    if not await _is(link, "DIALPLAN_EXISTS(switchhook-consult,00,1)"):
        why, remedy = f"nobody is consulted from the page, or sent to a number outside: {_OLD}", _HOW
    elif not await _is(link, "IFMODULE(func_export.so)"):
        why, remedy = "nobody is consulted from the page: no func_export", "asterisk -rx 'module load func_export.so'"
    elif not key:
        why, remedy = "nobody is consulted from the page: features.conf has no atxfer", _CONSULT
    elif await _told(link, "FEATUREMAP(blindxfer)") == "#":
        why, remedy = "phones that may consult send clients away by #: features.conf leaves blindxfer so", _CONSULT
    else:
        return Check(name, "ok", f"by the keys {key}")
    return Check(name, "warn", why, remedy)


async def _is(link: Link, question: str) -> bool:
    return await _told(link, question) == "1"


async def _told(link: Link, question: str) -> str:
    reply = await link.action({"Action": "Getvar", "Variable": question})
    return str(reply.fields.get("Value", ""))

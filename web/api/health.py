"""How `/healthz` and `/readyz` are described; they answer to everybody (`web.health`)."""

from typing import Final

from aiohttp import hdrs

from web import health
from web.api.operations import Answer, Door, Said


class AliveTold(Answer):
    """The process answers."""

    alive: bool


class PartTold(Answer):
    """A part of the service; `reason`, for whoever is logged in, says why it is not ready."""

    ready: bool
    reason: str = ""


class ReadyTold(Answer):
    """Whether the service is ready, part by part."""

    ready: bool
    parts: dict[str, PartTold]


DOORS: Final = (
    Door(
        hdrs.METH_GET,
        "/healthz",
        health.alive.__name__,
        "Whether the service lives",
        {200: Said("It does.", AliveTold)},
        security=(),
    ),
    Door(
        hdrs.METH_GET,
        "/readyz",
        health.ready.__name__,
        "Whether it is ready, and what is not",
        {200: Said("All of it is.", ReadyTold), 503: Said("A part of it is not.", ReadyTold)},
        security=(),
    ),
)

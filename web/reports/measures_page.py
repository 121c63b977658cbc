"""What reports measure: each measure in a sentence, with its formula, its unit, and which way is good."""

from __future__ import annotations

from aiohttp import web

from reports.registry import SUBJECTS
from web.page import page


async def show(request: web.Request) -> web.Response:
    """GET /reports/measures, for everybody."""
    return await page(request, "report_measures.html", subjects=SUBJECTS)

"""Write the pages of Grafana anew: `make dashboards`."""

from __future__ import annotations

from pathlib import Path

from metrics.dashboards import integration, missed, service, telephony, transcription
from metrics.dashboards.panels import Page, written

PAGES: tuple[Page, ...] = (missed.PAGE, telephony.PAGE, integration.PAGE, transcription.PAGE, service.PAGE)


def file_of(page: Page) -> Path:
    """Where the page is kept."""
    return Path(__file__).with_name(f"{page.name}.json")


if __name__ == "__main__":
    for one in PAGES:
        file_of(one).write_text(written(one), encoding="utf-8")

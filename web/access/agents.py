"""What a browser calls itself, as people call it (pure)."""

import re
from typing import Final

_BROWSERS: Final = (
    ("Edg", "Edge"), ("YaBrowser", "Yandex"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari"),
)  # fmt: skip
"""By the first that is named: each claims to be those after it too."""

_SYSTEMS: Final = (
    ("Windows", "Windows"), ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip

_OTHER_MOST: Final = 60


def browser_of(agent: str | None) -> str:
    """Give a browser as Firefox, Windows; by the beginning of what it says where we know neither; empty for nothing."""
    told = agent or ""
    browser = next((name for sign, name in _BROWSERS if re.search(rf"\b{sign}\w*/", told)), "")
    system = next((name for sign, name in _SYSTEMS if sign in told), "")
    return ", ".join(filter(None, (browser, system))) or told[:_OTHER_MOST]

"""What Chromium leaves out in tests: the window around a page has parts that nobody looks at."""

from __future__ import annotations

from typing import Final

# Pages of its own behind the address bar, made anew for each profile: three quarters of what a short test costs.
_ADDRESS_BAR = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup")
# What Playwright leaves out by itself; of two such switches the last one counts.
_BY_PLAYWRIGHT = (
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable",
    "LensOverlay",
    "MediaRouter",
    "PaintHolding",
    "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "OptimizationHints",
    "NetworkTimeServiceQuerying",
    "AimEnabled",
    "PreconnectToSearch",
)
WITHOUT: Final = f"--disable-features={','.join((*_BY_PLAYWRIGHT, *_ADDRESS_BAR))}"
"""An argument to start it with."""

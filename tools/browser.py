"""A headless Chromium for what only a browser can tell of the HTML report. It loads files and talks to nobody."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from selenium import webdriver

CHROMIUM: Final = shutil.which("chromium")
DRIVER: Final = shutil.which("chromedriver")
#: Why a machine cannot run these tests; None where it can.
MISSING: Final = (
    None if CHROMIUM and DRIVER else "needs chromium and chromedriver, which `make browser` installs on Debian"
)
_FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


@contextlib.contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    """A new browser with an empty profile; it logs its console and its requests."""
    assert CHROMIUM is not None
    assert DRIVER is not None
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        # What the browser itself has to say, of a sandbox that it has not or a bus that is not there, helps nobody.
        with Path(os.devnull).open("w") as nowhere:
            service = webdriver.ChromeService(executable_path=DRIVER, log_output=nowhere)
            driver = webdriver.Chrome(options=options, service=service)
            try:
                yield driver
            finally:
                driver.quit()


def set_window(driver: webdriver.Chrome, width: int, height: int, scale: float = 1) -> None:
    """The size of the page in CSS pixels, and how many of the picture's pixels each of them has."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def set_media(driver: webdriver.Chrome, *, scheme: str = "light", media: str = "") -> None:
    """What the page is told of the reader: the theme of the system, and whether it is printed."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})

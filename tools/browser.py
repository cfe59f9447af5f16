"""A headless Chromium for tests and screenshots of the HTML report. It loads only local files."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from selenium import webdriver

CHROMIUM: Final = shutil.which("chromium")
DRIVER: Final = shutil.which("chromedriver")
#: Why this machine cannot run the browser, or None.
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
    """Yields a new browser with an empty profile, which logs its console and its requests."""
    assert CHROMIUM is not None
    assert DRIVER is not None
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        # Drops the messages of the browser about a missing sandbox or D-Bus.
        with Path(os.devnull).open("w") as nowhere:
            service = webdriver.ChromeService(executable_path=DRIVER, log_output=nowhere)
            driver = webdriver.Chrome(options=options, service=service)
            try:
                yield driver
            finally:
                driver.quit()


def stop_clock(driver: webdriver.Chrome, at: datetime) -> None:
    """Lets the clock of the pages that are opened from now on stand still at a time."""
    script = f"{{const now = Date.parse('{at.isoformat()}'); Date.now = () => now}}"
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})


def set_window(driver: webdriver.Chrome, width: int, height: int, scale: float = 1) -> None:
    """Sets the size of the page in CSS pixels, and the number of screenshot pixels for each."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def set_media(driver: webdriver.Chrome, *, scheme: str = "light", media: str = "") -> None:
    """Sets the media features of the page: the color scheme, and whether it is printed."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})

"""A headless Chromium for pages that cellssl writes; it is driven, never downloaded."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


@contextmanager
def open_chromium(downloads: Path, size: tuple[int, int] = (1400, 1000)) -> Iterator[Any]:
    """Start Chromium; skip the test where it, its driver or selenium is not installed."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("no Chromium with chromedriver here (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (
        "--headless=new",
        "--no-sandbox",  # containers run as root
        "--disable-dev-shm-usage",
        "--enable-unsafe-swiftshader",  # WebGL in software, where there is no graphics card
        f"--window-size={size[0]},{size[1]}",
    ):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chromium = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    chromium.set_script_timeout(120)
    try:
        yield chromium
    finally:
        chromium.quit()


def wait_for(what: Any, *, seconds: float = 60) -> Any:
    """Call until something true comes back."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


def open_page(chromium: Any, address: str) -> None:
    """Load an explorer and wait for its points."""
    chromium.get(address)
    wait_for(lambda: chromium.execute_script("return document.body.dataset.drawn"))

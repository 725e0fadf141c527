"""What every test may ask for."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Tests run side by side have one thread each: more would wait for each other.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def data() -> Path:
    """Real plates, cells and weights; kept beside the checkout, never in it."""
    folder = Path(os.environ.get("CELLSSL_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found in {folder}; set CELLSSL_DATA to their folder")
    return folder


@pytest.fixture(autouse=True)
def messages_as_they_were() -> Iterator[None]:
    """Undo what a command that ran in this process did to cellssl's messages: others read them."""
    log = logging.getLogger("cellssl")
    before = log.handlers, log.level, log.propagate
    yield
    log.handlers, log.level, log.propagate = before

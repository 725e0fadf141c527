"""What every test may ask for."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data() -> Path:
    """Real plates, cells and weights; kept beside the checkout, never in it."""
    folder = Path(os.environ.get("CELLSSL_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found in {folder}; set CELLSSL_DATA to their folder")
    return folder

"""Small plates to index."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write grey TIFFs of 8 × 8 pixels with these names; give their folder."""

    def _write(*names: str, folder: str = "plate") -> Path:
        for number, name in enumerate(names):
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, np.full((8, 8), number, np.uint16))
        return tmp_path / folder

    return _write

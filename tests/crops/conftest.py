"""Small crop files with known numbers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cellssl.crops import CropBatch, Crops, write_crops

SETTINGS = {"name": "test", "settings": {"diameter": None, "sizes": [1, 2], "names": ["a", "b"]}}


def make_batch(
    cells: int, *, plate: str = "P1", start: int = 0, size: int = 8, **columns: object
) -> CropBatch:
    """Make some cells; `columns` of their table replace the usual ones, or join them."""
    random = np.random.default_rng([start, len(plate)])
    numbers = range(start, start + cells)
    obs = pd.DataFrame(
        {
            "Metadata_Plate": plate,
            "Metadata_Well": "A01",
            "Metadata_Compound": ["DMSO" if n % 2 else None for n in numbers],
            "Metadata_Label": np.array(numbers, dtype=np.int64),
            "Area_Nucleus": [10.5 + n for n in numbers],
        },
        index=[f"{plate}/A01/1/{n}" for n in numbers],
    ).assign(**columns)
    images = random.integers(100, 60000, (cells, 2, size, size)).astype(np.uint16)
    masks = random.integers(0, 3, (cells, 1, size, size)).astype(np.uint8)
    return CropBatch(images=images, masks=masks, obs=obs)


@pytest.fixture
def batch() -> Callable[..., CropBatch]:
    return make_batch


@pytest.fixture
def crop_file(tmp_path: Path) -> Callable[..., Crops]:
    def make(*batches: CropBatch, name: str = "crops.h5ad", size: int = 8) -> Crops:
        path = tmp_path / name
        channels = ("DNA", "Actin")
        write_crops(path, batches, channels=channels, size=size, provenance={"segmenter": SETTINGS})
        return Crops.open(path)

    return make

"""A small plate whose nuclei are known."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from cellssl.plates import PlateIndex

SIDE = 96
SPOTS = [
    (10, 48),
    (34, 30),
    (34, 62),
    (64, 34),
    (60, 66),
]  # the first one's window leaves the image


def paint(seed: int, *, spots: int = len(SPOTS), side: int = SIDE) -> np.ndarray:
    """Draw discs of radius 7 on a noisy background: (2, side, side) uint16."""
    random = np.random.default_rng(seed)
    yy, xx = np.mgrid[:side, :side]
    image = random.normal(200, 5, (2, side, side))
    for y, x in SPOTS[:spots]:
        image[1] += 1000 * ((yy - y) ** 2 + (xx - x) ** 2 <= 49)
        image[0] += 300 * ((yy - y) ** 2 + (xx - x) ** 2 <= 144)
    return image.clip(0, 65535).astype(np.uint16)


@pytest.fixture
def make_plate(tmp_path: Path) -> Callable[..., PlateIndex]:
    """Write a plate of `fields` wells with two channels and give its index."""

    def make(fields: int = 4, *, plate: str = "P1", empty: tuple[int, ...] = ()) -> PlateIndex:
        folder = tmp_path / plate
        folder.mkdir(exist_ok=True)
        rows = []
        for number in range(fields):
            well = f"A{number + 1:02d}"
            planes = paint(number, spots=0 if number in empty else len(SPOTS))
            paths = {}
            for name, plane in zip(("GFP", "DNA"), planes, strict=True):
                paths[f"Path_{name}"] = str(folder / f"{well}_{name}.tif")
                tifffile.imwrite(paths[f"Path_{name}"], plane)
            rows.append(
                {
                    "Metadata_Plate": plate,
                    "Metadata_Well": well,
                    "Metadata_Site": 1,
                    "Metadata_Compound": "DMSO" if number % 2 else "taxol",
                    **paths,
                }
            )
        columns = [f"Metadata_{name}" for name in ("Plate", "Well", "Site")]
        nothing = pd.DataFrame(columns=[*columns, "Problem", "Detail"])
        return PlateIndex(pd.DataFrame(rows), ("GFP", "DNA"), nothing, 0)

    return make

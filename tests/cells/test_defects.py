"""Defects planted in a simulated plate are found, each for its reason, and nothing else is."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from cellssl.cells import crop
from cellssl.crops import Crops
from cellssl.plates import PlateIndex, index, simulate

CHANNELS = ("DAPI", "Tubulin", "Actin")


def change(plate: PlateIndex, row: int, how, channels=CHANNELS) -> None:
    """Rewrite a field's files."""
    for channel in channels:
        path = plate.fields[f"Path_{channel}"][row]
        pixels = how(tifffile.imread(path).astype(float))
        tifffile.imwrite(path, np.clip(pixels, 0, 65535).astype(np.uint16))


def blurred(pixels: np.ndarray) -> np.ndarray:
    random = np.random.default_rng(0)
    return ndimage.gaussian_filter(pixels, 5) + random.normal(0, 15, pixels.shape)


def overexposed(pixels: np.ndarray) -> np.ndarray:
    return pixels * 40


def lit_by_a_window(pixels: np.ndarray) -> np.ndarray:
    return pixels + 8000


def dusty(pixels: np.ndarray) -> np.ndarray:
    """A fibre as large as thirty nuclei."""
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    return np.where((y - 190) ** 2 + (x - 190) ** 2 < 110**2, 25000, pixels)


def noisy(pixels: np.ndarray) -> np.ndarray:
    return np.random.default_rng(1).normal(800, 30, pixels.shape)


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> PlateIndex:
    """Thirty wells, some with a defect."""
    folder = tmp_path_factory.mktemp("plate")
    simulate(folder, plates=1, wells=30, progress=False)
    found = index(folder)
    change(found, 3, blurred)
    change(found, 8, overexposed, ["Actin"])
    change(found, 14, lit_by_a_window, ["Tubulin"])
    change(found, 20, dusty, ["DAPI"])
    change(found, 25, noisy, ["Actin"])
    return found


def test_each_defect_has_its_reason(plate: PlateIndex, tmp_path: Path) -> None:
    report = crop(plate, tmp_path, size=64, progress=False)
    fields = report.fields
    dropped = fields.filter(like="dropped_").drop(columns=["dropped_border", "dropped_fragment"])
    assert (fields["found"] == fields["kept"] + fields.filter(like="dropped_").sum(axis=1)).all()
    expected = {
        3: "dropped_field_focus",
        8: "dropped_field_saturated",
        14: "dropped_field_illumination",
        20: "dropped_field_debris",
        25: "dropped_noise",
    }
    for row, reason in expected.items():
        assert fields["kept"][row] == 0, reason
        assert dropped[reason][row] > 0, fields.loc[row]
    others = dropped.drop(index=list(expected))
    cells = fields.drop(index=list(expected))["kept"].sum()
    assert others.to_numpy().sum() < 0.01 * cells
    assert (Crops.open(report.crops).obs["Quality_Reason"] == "").all()

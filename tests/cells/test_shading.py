"""Illumination, from a plate's files to its crops."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from cellssl.cells import Shading
from cellssl.crops import Crops
from cellssl.errors import CropError, PlateError
from cellssl.plates import PlateIndex

from .examples import run


def darken(index: PlateIndex) -> np.ndarray:
    """Light the right side of all fields half as much as the left."""
    lamp = np.linspace(4 / 3, 2 / 3, 96)
    for name in ("Path_DNA", "Path_GFP"):
        for path in index.fields[name]:
            tifffile.imwrite(path, (tifffile.imread(path) * lamp).astype(np.uint16))
    return lamp


def test_it_is_estimated_saved_and_divided_out(make_plate, tmp_path):
    index = make_plate(20, empty=tuple(range(2, 20)))
    lamp = darken(index)
    report = run(index, tmp_path / "on")
    shading = Shading.read(tmp_path / "on" / "illumination.npz")
    assert shading.channels == ("GFP", "DNA")
    found = shading.maps["P1"].mean(axis=1)
    assert np.corrcoef(found[0], lamp[1::3])[0, 1] > 0.99
    even = Crops.open(report.crops)
    raw = Crops.open(run(index, tmp_path / "off", illumination="none").crops)
    assert not (tmp_path / "off" / "illumination.npz").exists()
    assert even.uns["cellssl"]["illumination"] == "median"
    assert raw.uns["cellssl"]["illumination"] == "none"

    def left_over_right(crops: Crops) -> float:
        side = crops.obs["Metadata_Center_X"] < 48
        nuclei = (crops.masks()[:, 0] == 1) * crops.read()[:, 1].astype(float)
        mean = nuclei.sum((1, 2)) / (nuclei > 0).sum((1, 2))
        return mean[side].mean() / mean[~side].mean()

    assert left_over_right(raw) > 1.2
    assert left_over_right(even) == pytest.approx(1, abs=0.05)


def test_few_fields_are_left_as_they_are(make_plate, tmp_path):
    report = run(make_plate(4), tmp_path / "on")
    assert Shading.read(tmp_path / "on" / "illumination.npz").maps == {}
    off = run(make_plate(4), tmp_path / "off", illumination="none")
    np.testing.assert_array_equal(Crops.open(report.crops).read(), Crops.open(off.crops).read())


def test_an_unreadable_field_does_not_cost_the_estimate(make_plate, tmp_path):
    index = make_plate(18)
    Path(index.fields["Path_DNA"][3]).write_bytes(b"")
    report = run(index, tmp_path / "out")
    assert len(report.problems) == 1
    assert "P1" in Shading.read(tmp_path / "out" / "illumination.npz").maps


def test_other_ways_are_refused_before_any_work(make_plate, tmp_path):
    with pytest.raises(PlateError, match="no way 'flat'"):
        run(make_plate(2), tmp_path / "out", illumination="flat")
    with pytest.raises(CropError, match="not both"):
        run(make_plate(2), tmp_path / "out", workers=2, scheduler="tcp://127.0.0.1:1")
    with pytest.raises(CropError, match="did you mean 'blurred'"):
        run(make_plate(2), tmp_path / "out", keep=["blured"])
    assert not (tmp_path / "out").exists()


def test_cells_may_be_kept_in_spite_of_a_reason(make_plate, tmp_path):
    index = make_plate(12)
    path = index.fields["Path_GFP"][0]
    bright = tifffile.imread(path)
    bright[20:80, 20:80] = 65535
    tifffile.imwrite(path, bright)
    dropped = run(index, tmp_path / "drop")
    assert dropped.dropped["field_saturated"] == 4
    table = pd.read_csv(tmp_path / "drop" / "dropped.csv")
    assert set(table["Quality_Reason"]) == {"field_saturated"}
    assert dropped.fields["Saturated_GFP"][0] == pytest.approx(3600 / 96**2, rel=1e-3)
    kept = run(index, tmp_path / "keep", keep=["field_saturated", "saturated"])
    assert kept.kept == dropped.kept + 4
    reasons = Crops.open(kept.crops).obs["Quality_Reason"].value_counts().to_dict()
    assert reasons == {"": 44, "saturated": 4}


def test_a_copy_of_a_plate_is_lit_alike(make_plate, tmp_path):
    index = make_plate(20, empty=tuple(range(2, 20)))
    darken(index)
    copied = index.fields.copy()
    for name in ("Path_DNA", "Path_GFP"):
        for row, path in copied[name].items():
            copied.loc[row, name] = str(shutil.copy(path, tmp_path / f"copy-{Path(path).name}"))
    copy = PlateIndex(copied, index.channels, index.problems, 0)
    crops, maps = [], []
    for folder, plate in (("one", index), ("two", copy)):
        crops.append(Crops.open(run(plate, tmp_path / folder).crops).read())
        maps.append(Shading.read(tmp_path / folder / "illumination.npz").maps["P1"])
    np.testing.assert_array_equal(*maps)
    np.testing.assert_array_equal(*crops)

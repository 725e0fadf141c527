"""What is said of images when all cells are cut."""

from types import SimpleNamespace
from unittest.mock import MagicMock, PropertyMock

import numpy as np

from cellssl.cells import Job, ThresholdSegmenter
from cellssl.cells.remarks import _ill_fitting, _unlike_plates, remarks_on


def test_at_10x_the_usual_crop_shows_many_cells():
    (remark,) = _ill_fitting(96, 1, {"P1": 9.4, "P2": 28.0})
    assert "nuclei are usually 9 px across and crops 96 px: each shows many" in remark
    assert "crop.size) of 24 px, and crops of 36 px" in remark


def test_of_many_plates_whose_crops_hold_no_cell_one_is_named():
    small, large = _ill_fitting(24, 1, {"P1": 14.0, "P3": 15.0, "P4": 16.0, "P5": 1.0})
    assert small.startswith("plate P1 and 2 more: nuclei are usually 15 px across")
    assert "plate P5: nuclei are usually 1 px across and crops 24 px: each shows" in large


def test_wide_nuclei_are_better_binned():
    (wide,) = _ill_fitting(96, 1, {"P1": 72.0})
    assert "or binned by --binning 2 a view of 90 px, and crops of 136 px" in wide
    (wider,) = _ill_fitting(96, 2, {"P1": 140.0})
    assert "or binned by --binning 10 a view of 70 px" in wider
    (narrow,) = _ill_fitting(64, 1, {"P1": 40.0})
    assert "binned" not in narrow


def test_plates_of_another_magnification_are_told():
    assert not [*_unlike_plates({"P1": 24.0, "P3": 30.0})]
    assert not [*_unlike_plates({})]
    (remark,) = _unlike_plates({"P1": 24.0, "P3": 48.0, "P4": 30.0})
    assert remark.startswith(
        "nuclei are usually 48 px across on plate P3, and 24 px on plate P1: images of another"
    )


def test_what_is_not_told_one_by_one_is_counted():
    unusual = {f"P1/A{n:02d}/1": f"it is {n} × {n} pixels" for n in range(1, 13)}
    dust = {f"P{n}": (9.0, 9.0, 16) for n in range(11)}
    fields = SimpleNamespace(usual={}, unusual=unusual, dust=dust, transmitted=[])
    crops = MagicMock(channels=("DNA",), size=8)  # of no cell
    job = Job(ThresholdSegmenter(), ("DNA",), 8, masks=False)
    remarks = [*remarks_on(fields, job, crops)]
    assert len(remarks) == 22
    assert remarks[10] == "and 2 more kinds of fields left out: see fields.csv"
    assert remarks[-1] == "and 1 more plates with an object at one place in most fields"


def test_fields_are_looked_through_for_transmitted_light_once_for_all_plates():
    own = SimpleNamespace(
        area=200.0, noise=np.zeros(1), saturated=np.zeros(1), sharpness=np.ones(1)
    )
    looked = PropertyMock(return_value=["P2"])
    fields = type("Fields", (), {"transmitted": looked})()
    fields.usual, fields.unusual, fields.dust = {f"P{n}": own for n in range(9)}, {}, {}
    job = Job(ThresholdSegmenter(), ("DNA",), 64, masks=False)
    told = next(remarks_on(fields, job, MagicMock()))
    assert told.startswith("channel DNA of plate P2 does not look")
    assert looked.call_count == 1

import re
from dataclasses import replace
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import tifffile

from cellssl.cells import CropReport, Labels, ThresholdSegmenter, check_crops, crop
from cellssl.crops import Crops
from cellssl.errors import CellsslError, CropError, PlateError
from cellssl.files import sha256
from cellssl.plates import read_field

from .examples import run


def test_every_cell_is_accounted_for(make_plate, tmp_path):
    index = make_plate(4)
    report = run(index, tmp_path / "out")
    table = pd.read_csv(report.table)
    dropped = table.filter(like="dropped_").sum(axis=1)
    assert (table["found"] == table["kept"] + dropped).all()
    assert report.found == 20
    assert {reason: n for reason, n in report.dropped.items() if n} == {"border": 4}
    crops = Crops.open(report.crops)
    assert len(crops) == report.kept == 16
    assert crops.channels == ("GFP", "DNA")
    assert crops.obs.index[0] == "P1/A01/1/2"
    assert list(crops.obs["Metadata_Compound"].unique()) == ["taxol", "DMSO"]
    cell = crops.obs.iloc[5]
    y, x = round(cell["Metadata_Center_Y"]), round(cell["Metadata_Center_X"])
    field = read_field(index.fields.iloc[1])
    np.testing.assert_array_equal(crops.read(5)[0], field[:, y - 16 : y + 16, x - 16 : x + 16])
    assert (crops.masks(5)[0, 0] == 1).sum() == cell["Area_Nucleus"]
    assert crops.uns["cellssl"]["segmenter"]["name"] == "threshold"
    assert anndata.read_h5ad(report.crops).n_obs == 16
    assert not (tmp_path / "out" / "parts").exists()
    assert "20 cells found on 4 fields, 16 kept" in report.summary()


def test_names_made_of_digits_stay_names_in_the_table_of_fields(make_plate, tmp_path):
    """Read as numbers, plates 001, 1 and 1.0 would be one, and a compound NA none."""
    plates = [make_plate(1, plate=name) for name in ("001", "1", "1.0")]
    fields = pd.concat([plate.fields for plate in plates], ignore_index=True)
    fields["Metadata_Compound"] = ["NA", "0012", "12"]
    report = run(replace(plates[0], fields=fields), tmp_path / "out")
    names = ["Metadata_Plate", "Metadata_Compound"]
    pd.testing.assert_frame_equal(report.fields[names], fields[names])


def test_a_saved_index_is_cropped_and_both_say_shortly_what_they_are(make_plate, tmp_path):
    index = make_plate(4)
    saved = index.save(tmp_path / "plate.csv")
    report = run(str(saved), tmp_path / "out")
    assert report.kept == 16
    assert repr(index) == f"PlateIndex({index.summary()})"
    assert repr(report) == f"CropReport({report.crops}: {report.summary()})"
    assert len(check_crops(report.crops)) == 16
    with pytest.raises(PlateError, match=r"is a folder: make an index of it first"):
        run(tmp_path, tmp_path / "other")


def test_fragments_are_judged_by_their_plate(make_plate, tmp_path):
    class OneSpeck(ThresholdSegmenter):
        def segment(self, field, channels):
            nuclei = super().segment(field, channels).nuclei
            nuclei[45:48, 44:47] = nuclei.max() + 1
            return Labels(nuclei)

    report = run(make_plate(2), tmp_path / "out", segmenter=OneSpeck())
    assert {reason: n for reason, n in report.dropped.items() if n} == {"border": 2, "fragment": 2}
    dropped = pd.read_csv(tmp_path / "out" / "dropped.csv")
    assert dropped["Quality_Reason"].tolist() == ["fragment"] * 2
    assert dropped["Area_Nucleus"].tolist() == [9, 9]
    cells = pd.concat([Crops.open(report.crops).obs, dropped])
    usual = cells.groupby("Metadata_Well")["Quality_Sharpness_DNA"].median()
    np.testing.assert_allclose(report.fields["Sharpness_DNA"], usual, rtol=1e-4)
    assert report.kept == 8


def test_workers_and_masks(make_plate, tmp_path):
    index = make_plate(5)
    one = run(index, tmp_path / "one")
    two = run(index, tmp_path / "two", workers=2)
    assert sha256(one.crops) == sha256(two.crops)
    bare = Crops.open(run(index, tmp_path / "bare", masks=False).crops)
    assert bare.masks(0) is None
    both = run(index, tmp_path / "both", segmenter=ThresholdSegmenter(cells=True))
    crops = Crops.open(both.crops)
    assert crops.mask_names == ("nucleus", "cell")
    assert (crops.obs["Area_Cell"] >= crops.obs["Area_Nucleus"]).all()


def test_a_finished_folder_is_left_alone(make_plate, tmp_path, monkeypatch):
    index = make_plate(3)
    first = run(index, tmp_path / "out")
    stamp = first.crops.stat().st_mtime_ns
    monkeypatch.setattr("cellssl.cells.cropping.cut_field", lambda _: pytest.fail("redone"))
    second = run(index, tmp_path / "out")
    assert isinstance(second, CropReport)
    assert first.crops.stat().st_mtime_ns == stamp
    assert second.summary() == first.summary()


def test_other_settings_are_never_mixed(make_plate, tmp_path):
    index = make_plate(2)
    run(index, tmp_path / "out")
    with pytest.raises(CropError, match="crop_size: 32, now 24"):
        run(index, tmp_path / "out", size=24)
    with pytest.raises(CropError, match=r"segmenter\.settings\.diameter: None, now 15"):
        run(index, tmp_path / "out", segmenter=ThresholdSegmenter(diameter=15))
    record = tmp_path / "out" / "crop.json"
    record.write_text(re.sub(r'"(format|version)": \d+', r'"\1": 1', record.read_text()))
    with pytest.raises(CropError, match="made by a version of cellssl that cuts or judges other"):
        run(index, tmp_path / "out")


def test_changed_fields_are_done_anew(make_plate, tmp_path, caplog):
    caplog.set_level("INFO")
    assert run(make_plate(2), tmp_path / "out").kept == 8
    assert run(make_plate(3), tmp_path / "out").kept == 12
    assert "is made again: it is of other images or metadata of these plates" in caplog.text


def test_a_plate_may_have_channels_of_8_and_of_16_bits(make_plate, tmp_path):
    index = make_plate(3)
    whole = Crops.open(run(index, tmp_path / "whole").crops)
    for path in index.fields["Path_GFP"]:
        dim = (tifffile.imread(path) // 4).clip(0, 255).astype(np.uint8)
        tifffile.imwrite(path, dim)
    report = run(index, tmp_path / "mixed", keep=["saturated", "field_saturated"])
    mixed = Crops.open(report.crops)
    assert report.kept == 12
    assert mixed.dtype == np.uint16
    old, new = whole.read(np.arange(12)), mixed.read(np.arange(12))
    np.testing.assert_array_equal(new[:, 1], old[:, 1])
    np.testing.assert_array_equal(new[:, 0], (old[:, 0] // 4).clip(0, 255))


def test_empty_wells_are_counted(make_plate, tmp_path):
    report = run(make_plate(4, empty=(1, 3)), tmp_path / "out")
    assert report.fields["found"].tolist() == [5, 0, 5, 0]
    assert report.empty == 2
    assert (report.fields["Problem"] == "").all()
    assert "2 fields without cells" in report.summary()


def test_it_does_not_matter_how_many_fields_are_put_together(make_plate, tmp_path, monkeypatch):
    index = make_plate(6, empty=(1, 4))
    Path(index.fields["Path_DNA"][3]).write_bytes(b"no image")
    at_once = run(index, tmp_path / "at once")
    monkeypatch.setattr("cellssl.cells.assembly._CELLS", 1)
    monkeypatch.setattr("cellssl.cells.assembly._FIELDS", 2)
    one_by_one = run(index, tmp_path / "one by one")
    for name in ("fields.csv", "dropped.csv"):
        one, other = (pd.read_csv(tmp_path / out / name) for out in ("at once", "one by one"))
        pd.testing.assert_frame_equal(
            one.drop(columns="seconds", errors="ignore"),
            other.drop(columns="seconds", errors="ignore"),
        )
    first, second = Crops.open(at_once.crops), Crops.open(one_by_one.crops)
    pd.testing.assert_frame_equal(first.obs, second.obs)
    np.testing.assert_array_equal(first.read(), second.read())
    np.testing.assert_array_equal(first.masks(), second.masks())


def test_an_empty_plate_gives_an_empty_file(make_plate, tmp_path):
    report = run(make_plate(2, empty=(0, 1)), tmp_path / "out")
    assert report.kept == 0
    assert len(Crops.open(report.crops)) == 0


def test_two_plates_of_different_size(make_plate, tmp_path):
    first, second = make_plate(2), make_plate(2, plate="P2")
    both = type(first)(
        pd.concat([first.fields, second.fields], ignore_index=True),
        first.channels,
        first.problems,
        0,
    )
    crops = Crops.open(run(both, tmp_path / "out").crops)
    assert crops.percentiles.plates == ("P1", "P2")
    assert crops.obs["Metadata_Plate"].value_counts().to_dict() == {"P1": 8, "P2": 8}


def test_wrong_calls(make_plate, tmp_path):
    index = make_plate(1)
    with pytest.raises(CropError, match="no complete field"):
        run(type(index)(index.fields[:0], index.channels, index.problems, 0), tmp_path / "out")
    with pytest.raises(PlateError, match="named like a DNA stain"):
        run(type(index)(index.fields, ("a", "b"), index.problems, 0), tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(CellsslError, match="cannot write to"):
        run(index, tmp_path / "file" / "out")
    with pytest.raises(CropError, match=r"wanted a list of reasons: \['blurred"):
        run(index, tmp_path / "out", keep="blurred")


def test_real_fields(data, tmp_path):
    """Two sites of BBBC021: crops of uint16 in three channels around some two hundred nuclei each."""
    from cellssl.plates import index

    found = index(data / "bbbc021" / "fields", layout="bbbc021")
    report = crop(found, tmp_path, progress=False)
    assert report.found == report.kept + sum(report.dropped.values())
    assert 250 < report.found < 450
    crops = Crops.open(report.crops)
    assert crops.shape[1:] == (3, 96, 96)
    assert crops.dtype == np.uint16


def test_crops_that_do_not_hold_a_cell(make_plate, tmp_path, caplog):
    run(make_plate(), tmp_path / "small", size=24)
    assert "nuclei are usually 14 px across and crops 24 px: cells are cut off" in caplog.text
    assert "A view (the protocol's crop.size) of 34 px, and crops of 52 px (--size)" in caplog.text
    caplog.clear()
    run(make_plate(), tmp_path / "good", size=32)
    assert "across" not in caplog.text


def test_plates_without_a_cell_are_told(make_plate, tmp_path, caplog):
    plates = [
        make_plate(2, plate="P1"),
        make_plate(1, plate="P2"),
        make_plate(1, plate="P3", empty=(0,)),
    ]
    for name in ("DNA", "GFP"):
        path = Path(plates[1].fields[f"Path_{name}"][0])
        tifffile.imwrite(path, (tifffile.imread(path) // 16).astype(np.uint8))
    fields = pd.concat([plate.fields for plate in plates], ignore_index=True)
    assert run(replace(plates[0], fields=fields), tmp_path / "out").kept == 8
    told = [message for message in caplog.messages if "no cell was kept" in message]
    assert told[0].startswith(
        "plate P2: no cell was kept; no field could be used, such as: its pixels are uint8"
    )
    assert told[1].startswith("plate P3: no cell was kept; no nucleus was found")
    assert len(told) == 2
    assert caplog.text.count("its pixels are uint8") == 1  # not field by field, too


def test_wells_that_quality_control_takes_whole_or_mostly_are_told(make_plate, tmp_path, caplog):
    """Of a knock-down whose stain is gone no cell is left."""
    index = make_plate(4)
    noise = np.random.default_rng(0).normal(200, 5, (96, 96)).astype(np.uint16)
    tifffile.imwrite(index.fields["Path_GFP"][1], noise)
    report = run(index, tmp_path / "out", size=56)
    assert report.fields["kept"].tolist() == [4, 0, 4, 4]
    assert "1 well kept no cell, since they were dropped as noise (P1/A02)" in caplog.text
    assert "--keep noise keeps them" in caplog.text
    caplog.clear()
    plates = report.fields.assign(Metadata_Plate=["P1", "P2", "P1", "P1"])
    replace(report, fields=plates).say_lost_wells()
    assert not caplog.text  # of a plate without a cell all wells are told with it
    thinned = report.fields.assign(kept=[40, 10, 40, 40], dropped_noise=[1, 30, 0, 0])
    replace(report, fields=thinned).say_lost_wells()
    assert "1 well lost most cells as noise" in caplog.text
    assert "(P1/A02): what is left shows the others only" in caplog.text
    caplog.clear()
    run(index, tmp_path / "kept", size=56, keep=["noise"])
    assert "kept no cell" not in caplog.text


def test_what_no_cell_is_dropped_for_is_told(make_plate, tmp_path, caplog):
    """A channel without a stain, and objects that lie where others do in most fields."""
    index = make_plate(16)
    assert run(replace(index, fields=index.fields[:15]), tmp_path / "fewer").kept
    assert not caplog.text
    for path in index.fields["Path_GFP"]:
        tifffile.imwrite(path, np.full((96, 96), 100, np.uint16))
    report = run(index, tmp_path / "out")
    assert report.kept
    bare = "channel GFP shows nothing but noise in the usual cell"
    assert caplog.text.count(bare) == 1
    check_crops(report.crops)
    assert caplog.text.count(bare) == 2
    assert re.search(r"plate P1: 16 of 16 fields .* at row \d+, column \d+: dust", caplog.text)
    again = run(index, tmp_path / "out")  # finished already
    assert [text.split(":")[0] for text in again.remarks] == [bare, "plate P1"]


def test_nothing_kept_says_what_to_mend(make_plate, tmp_path):
    blank = make_plate(2, empty=(0, 1))
    with pytest.raises(CropError, match=r"no nucleus was found: does --nucleus name"):
        run(blank, tmp_path / "blank", size=24).require_cells()
    wide = run(make_plate(2, plate="P2"), tmp_path / "wide", size=94)
    with pytest.raises(
        CropError, match=r"of 10 found, 10 were dropped as border: .*smaller --size"
    ):
        wide.require_cells()
    for path in blank.fields["Path_GFP"]:
        Path(path).write_bytes(b"")
    with pytest.raises(CropError, match=r"no field could be used, such as: .*is empty"):
        run(blank, tmp_path / "broken", size=24).require_cells()


@pytest.mark.parametrize(("size", "said"), [(32, False), (64, True)])
def test_fields_that_are_narrow_for_their_crops_are_told(make_plate, tmp_path, caplog, size, said):
    report = run(make_plate(2), tmp_path / "out", size=size)
    assert report.kept
    assert (
        ("a smaller --size keeps more" in caplog.text)
        == said
        == (report.dropped["border"] > report.found / 2)
    )


def test_an_index_without_fields_is_explained(make_plate, tmp_path):
    index = make_plate(1)
    with pytest.raises(CropError, match=r"no complete field.*problems.csv"):
        run(replace(index, fields=index.fields[:0]), tmp_path)


def test_of_many_fields_that_are_left_out_some_are_named(make_plate, tmp_path, caplog):
    index = make_plate(14)
    for path in index.fields["Path_GFP"][:13]:
        Path(path).write_bytes(b"")
    report = run(index, tmp_path / "out", size=24, illumination="none")
    assert caplog.text.count("is empty (0 bytes)") == 10
    assert "and 3 more fields left out" in caplog.text
    assert len(report.problems) == 13

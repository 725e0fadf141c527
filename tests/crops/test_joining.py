import dataclasses
import logging
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from cellssl.crops import Crops, join_crops, write_crops
from cellssl.errors import CropError
from cellssl.files import sha256


@pytest.fixture
def write(tmp_path):
    def make(name, *batches, channels=("DNA", "Actin"), size=8, masks=("nucleus",), **about):
        path = tmp_path / name / "crops.h5ad"
        write_crops(path, batches, channels=channels, size=size, provenance=about, masks=masks)
        return path

    return make


def test_join_equals_writing_at_once(write, batch, tmp_path):
    one = write("a", batch(300), segmenter={"name": "threshold"})
    two = write("b", batch(40, plate="P22"), segmenter={"name": "threshold"})
    joined = Crops.open(join_crops([one, Crops.open(two)], tmp_path))
    whole = Crops.open(write("whole", batch(300), batch(40, plate="P22")))
    assert joined.path == tmp_path / "crops.h5ad"
    np.testing.assert_array_equal(joined.read(), whole.read())
    np.testing.assert_array_equal(joined.masks(), whole.masks())
    pd.testing.assert_frame_equal(joined.obs, whole.obs)
    assert joined.percentiles.plates == ("P1", "P22")
    np.testing.assert_array_equal(joined.percentiles.values, whole.percentiles.values)
    np.testing.assert_array_equal(joined.percentiles.whole, whole.percentiles.whole)
    about = joined.uns["cellssl"]
    assert about["segmenter"]["name"] == "threshold"
    assert [int(part["cells"]) for part in about["joined"].values()] == [300, 40]


def test_a_plate_is_appended_in_place(write, batch):
    one, two = write("a", batch(9)), write("b", batch(4, plate="P2"))
    before = Crops.open(one)
    assert join_crops([one, two], one) == one
    assert len(Crops.open(one)) == 13
    np.testing.assert_array_equal(before.read(), batch(9).images)  # an open handle keeps its cells
    three = write("c", batch(2, plate="P3"))
    about = Crops.open(join_crops([one, three], one)).uns["cellssl"]
    assert [int(part["cells"]) for part in about["joined"].values()] == [9, 4, 2]


def test_a_failed_append_changes_nothing(write, batch, monkeypatch):
    one, two = write("a", batch(9)), write("b", batch(400, plate="P2"))
    before = sha256(one)
    read = Crops.read

    def fail(self, rows=None):
        if self.path == two and rows.start:
            raise KeyboardInterrupt
        return read(self, rows)

    monkeypatch.setattr(Crops, "read", fail)
    with pytest.raises(KeyboardInterrupt):
        join_crops([one, two], one)
    assert sha256(one) == before
    assert list(one.parent.iterdir()) == [one]


def test_channels_and_masks_are_matched_by_name(write, batch, tmp_path):
    random = np.random.default_rng(0)
    given = dataclasses.replace(
        batch(5), masks=random.integers(0, 3, (5, 2, 8, 8)).astype(np.uint8)
    )
    other = batch(6, plate="P2")
    other = dataclasses.replace(other, masks=np.repeat(other.masks, 2, axis=1) * np.uint8(1))
    other.masks[:, 1] = 0
    names = ("nucleus", "cell")
    one = write("a", given, masks=names)
    two = write("b", other, channels=("Actin", "DNA"), masks=names[::-1])
    joined = Crops.open(join_crops([one, two], tmp_path / "j.h5ad"))
    assert joined.channels == ("DNA", "Actin")
    assert joined.mask_names == names
    np.testing.assert_array_equal(joined.read(slice(5, None)), other.images[:, ::-1])
    np.testing.assert_array_equal(joined.masks(slice(5, None)), other.masks[:, ::-1])
    few = Crops.open(join_crops([one, two], tmp_path / "k.h5ad", channels=["Actin"], masks=False))
    assert (few.channels, few.mask_names, few.masks()) == (("Actin",), (), None)
    np.testing.assert_array_equal(few.read([0, 5])[:, 0], [given.images[0, 1], other.images[0, 0]])


def test_channels_are_named_anew(write, batch, tmp_path):
    given = batch(5, Quality_Noise_1=np.arange(5.0), Quality_Noise_DNA=9.0)
    path = write("a", given, channels=("1", "DNA"))
    both = Crops.open(
        join_crops([path], tmp_path / "b.h5ad", channels={"DNA": "Actin", "1": "DNA"})
    )
    assert both.channels == ("Actin", "DNA")
    np.testing.assert_array_equal(both.read(), given.images[:, ::-1])
    assert both.obs["Quality_Noise_DNA"].tolist() == [0, 1, 2, 3, 4]
    assert both.obs["Quality_Noise_Actin"].tolist() == [9] * 5
    one = Crops.open(join_crops([path], tmp_path / "o.h5ad", channels={"1": "DNA"}))
    assert one.channels == ("DNA",)
    assert one.obs["Quality_Noise_DNA"].tolist() == [0, 1, 2, 3, 4]  # not that of the one left out
    for twice in (["1", "1"], {"1": "a", "DNA": "a"}):
        with pytest.raises(CropError, match="channels need distinct names"):
            join_crops([path], tmp_path / "t.h5ad", channels=twice)


def test_columns_of_some_are_empty_for_others(write, batch, tmp_path, caplog):
    other = batch(3, plate="P2", Metadata_Dose=[1.5, 2, 3], Metadata_MOA=["x", "y", "z"])
    two = write("b", dataclasses.replace(other, obs=other.obs.drop(columns="Area_Nucleus")))
    with caplog.at_level(logging.WARNING):
        obs = Crops.open(join_crops([write("a", batch(2)), two], tmp_path / "j.h5ad")).obs
    assert "has no Metadata_Dose, Metadata_MOA: empty for its cells" in caplog.text
    assert "has no Area_Nucleus: empty for its cells" in caplog.text
    assert obs["Metadata_MOA"].tolist() == ["", "", "x", "y", "z"]
    np.testing.assert_array_equal(obs["Metadata_Dose"], [np.nan, np.nan, 1.5, 2, 3])


def test_names_spelt_otherwise_in_another_file_are_told(write, batch, tmp_path, caplog):
    files = []
    for plate, name in (("P1", "Taxol"), ("P2", "taxol"), ("P3", "DMSO")):
        files.append(write(plate, batch(2, plate=plate, Metadata_Compound=name, Metadata_MOA="x")))
    join_crops([files[0], files[2]], tmp_path / "alike.h5ad")
    assert not caplog.records
    join_crops(files, tmp_path / "j.h5ad")
    assert "Metadata_Compound: names that differ in capitals or blanks alone" in caplog.text
    assert "different ones: Taxol and taxol. Where" in caplog.text
    assert "Metadata_MOA" not in caplog.text


def test_doses_with_and_without_a_unit_are_told(write, batch, tmp_path, caplog):
    files = {}
    for plate, about in {
        "P1": {"Metadata_Concentration": 0.1, "Metadata_ConcentrationUnit": "uM"},
        "P2": {"Metadata_Concentration": 100.0},
        "P3": {"Metadata_Concentration": 0.0},
        "P4": {},
        "P5": {"Metadata_Concentration": pd.Categorical(["low", ""])},
    }.items():
        files[plate] = write(plate, batch(2, plate=plate, **about))
    join_crops([files[plate] for plate in ("P1", "P3", "P4", "P5")], tmp_path / "j.h5ad")
    assert "one number may be two doses" not in caplog.text
    join_crops([*files.values()], tmp_path / "j.h5ad")
    said = f"the doses of {files['P1']} are in µM, and those of {files['P2']} say no unit: one number may"
    assert said in caplog.text


def test_plates_of_another_magnification_are_told(write, batch, tmp_path, caplog):
    first = write("a", batch(2, Area_Nucleus=100 * np.pi))
    other = write("b", batch(3, plate="P2", Area_Nucleus=4 * 100 * np.pi))
    join_crops([first, other], tmp_path / "j.h5ad")
    assert "nuclei are usually 40 px across in" in caplog.text
    assert f"and 20 px in {tmp_path / 'a'}" in caplog.text


def test_plates_of_another_exposure_are_told(write, batch, tmp_path, caplog):
    first, other = batch(20), batch(20, plate="P2")
    dim = other.images.copy()
    dim[:, 1] //= 16  # Actin, of 12 bits among 16
    files = [write("a", first), write("b", dataclasses.replace(other, images=dim))]
    join_crops(files, tmp_path / "dna.h5ad", channels=["DNA"])
    assert "grey values" not in caplog.text
    join_crops(files, tmp_path / "j.h5ad")
    assert f"b/crops.h5ad: grey values are unlike those of {files[0]}: Actin (" in caplog.text


def test_what_files_say_differently_is_kept_for_each(write, batch, tmp_path):
    one = write("a", batch(2), segmenter={"name": "threshold"}, lens=20)
    two = write("b", batch(2, plate="P2"), segmenter={"name": "cellpose", "sizes": [1, 2]}, lens=20)
    about = Crops.open(join_crops([one, two], tmp_path / "j.h5ad")).uns["cellssl"]
    assert about["lens"] == 20
    assert "segmenter" not in about
    parts = list(about["joined"].values())
    assert [part["segmenter"]["name"] for part in parts] == ["threshold", "cellpose"]
    assert [part["file"] for part in parts] == ["crops.h5ad", "crops.h5ad"]


def test_files_that_do_not_fit_are_refused(write, batch, tmp_path):
    one = write("a", batch(3))
    with pytest.raises(CropError, match="wanted a list of crop files"):
        join_crops(one, tmp_path / "j.h5ad")

    def attempt(other, **arguments):
        join_crops([one, other], tmp_path / "bad.h5ad", **arguments)

    with pytest.raises(CropError, match=r"share 3 names of cells, e.g. 'P1/A01/1/0'"):
        attempt(one)
    foreign = write("b", batch(3, plate="P2"), channels=("DNA", "Tubulin"))
    with pytest.raises(CropError, match=r"keep those of both with channels= \(--channel DNA\)"):
        attempt(foreign)
    with pytest.raises(CropError, match=r"has no channel Actin; it has DNA, Tubulin"):
        attempt(foreign, channels=["Actin"])
    attempt(foreign, channels=["DNA"])
    (tmp_path / "bad.h5ad").unlink()
    with pytest.raises(CropError, match=r"crops of 8 px, .* of 6 px: crop one of them anew"):
        attempt(write("c", batch(3, plate="P2", size=6), size=6))
    narrow = dataclasses.replace(batch(3, plate="P2"), images=np.zeros((3, 2, 8, 8), np.uint8))
    with pytest.raises(CropError, match=r"holds uint16, .* uint8"):
        attempt(write("d", narrow))
    bare = write("e", dataclasses.replace(batch(3, plate="P2"), masks=None))
    with pytest.raises(
        CropError, match=r"masks of nucleus, .* of none: leave them out .*--no-masks"
    ):
        attempt(bare)
    attempt(bare, masks=False)
    (tmp_path / "bad.h5ad").unlink()
    with pytest.raises(CropError, match="no crop file to join"):
        join_crops([], tmp_path / "bad.h5ad")
    assert not (tmp_path / "bad.h5ad").exists()


def test_files_that_were_read_are_closed(write, batch, tmp_path):
    files = [Crops.open(write(name, batch(3, plate=name))) for name in ("P1", "P2")]
    join_crops(files, tmp_path / "j.h5ad")
    assert [crops._file for crops in files] == [None, None]
    assert files[0].read([0]).any()


def test_memory_does_not_grow_with_the_pixels(write, batch, tmp_path):
    def peak(cells):
        files = [
            write(f"{plate}{cells}", batch(cells, plate=plate, size=32), size=32)
            for plate in ("P1", "P22")
        ]
        tracemalloc.start()
        join_crops(files, tmp_path / "j.h5ad", masks=False)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(10)
    pixels = 2 * 1700 * 2 * 32 * 32 * 2
    assert peak(2000) - peak(300) < pixels / 4

"""Binned, a plate whose every pixel stands four times is the plate itself."""

import numpy as np
import pytest
import tifffile

from cellssl.cells import LabelImages, crop
from cellssl.cells.binning import bin_labels, bin_pixels
from cellssl.crops import Crops
from cellssl.errors import CropError
from cellssl.plates import read_field

from . import examples

KEYS = ["Metadata_Center_Y", "Metadata_Center_X"]


def run(index, out, **arguments):
    return Crops.open(examples.run(index, out, **arguments).crops)


def enlarge(index, labels=None):
    """Write each file of a plate, and perhaps its label images, with every pixel four times."""
    paths = [path for column in index.fields.filter(like="Path_") for path in index.fields[column]]
    for path in [*paths, *([] if labels is None else labels.iterdir())]:
        image = tifffile.imread(path)
        tifffile.imwrite(path, image.repeat(2, axis=0).repeat(2, axis=1))


def test_blocks_are_averaged_in_their_own_type():
    pixels = np.arange(35, dtype=np.uint16).reshape(5, 7)
    np.testing.assert_array_equal(bin_pixels(pixels, 2), [[4, 6, 8], [18, 20, 22]])
    assert bin_pixels(pixels, 1) is pixels
    assert bin_pixels(pixels.astype(np.uint8), 2).dtype == np.uint8
    full = np.full((16, 16), 65535, np.uint16)
    assert bin_pixels(full, 16).tolist() == [[65535]]
    assert bin_pixels(full.astype(np.int32) * 30_000, 16).tolist() == [[65535 * 30_000]]
    np.testing.assert_array_equal(bin_pixels(np.array([[1.0, 2], [3, np.inf]]), 2), [[np.inf]])


def test_a_block_has_the_number_in_its_middle():
    labels = np.zeros((7, 6), np.int32)
    labels[1, 4], labels[4, 1] = 5, 7
    np.testing.assert_array_equal(bin_labels(labels, 3), [[0, 5], [7, 0]])
    np.testing.assert_array_equal(bin_labels(labels, 1), labels)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_plate_enlarged_and_binned_gives_the_same_crops(make_plate, tmp_path, workers):
    index = make_plate(2)
    before = run(index, tmp_path / "whole")
    enlarge(index)
    after = run(index, tmp_path / "binned", binning=2, workers=workers)
    np.testing.assert_array_equal(after.read(slice(None)), before.read(slice(None)))
    np.testing.assert_array_equal(after.masks(slice(None)), before.masks(slice(None)))
    assert after.uns["cellssl"]["binning"] == 2
    assert after.nucleus == before.nucleus == pytest.approx(14, abs=0.5)
    # Where a cell lies is in the pixels of the files.
    np.testing.assert_allclose(after.obs[KEYS], before.obs[KEYS] * 2 + 0.5)
    y, x = (round(value) for value in after.obs[KEYS].iloc[3])
    brightest = read_field(index.fields.iloc[0])[1, y - 5 : y + 5, x - 5 : x + 5]
    assert brightest.min() > 1000


def test_label_images_have_the_full_size(make_plate, tmp_path):
    index = make_plate(2)
    folder = tmp_path / "labels"
    folder.mkdir()
    for well in ("A01", "A02"):
        labels = np.zeros((96, 96), np.uint16)
        labels[28:40, 24:36], labels[60:70, 50:60] = 3, 9
        tifffile.imwrite(folder / f"{well}_DNA.tif", labels)
    segmenter = LabelImages(str(folder))
    before = run(index, tmp_path / "whole", segmenter=segmenter)
    enlarge(index, folder)
    after = run(index, tmp_path / "binned", segmenter=segmenter, binning=2)
    assert after.obs["Metadata_Label"].tolist() == [3, 9, 3, 9]
    np.testing.assert_array_equal(after.masks(slice(None)), before.masks(slice(None)))


def test_another_binning_wants_another_folder(make_plate, tmp_path):
    index = make_plate(1)
    run(index, tmp_path / "out")
    with pytest.raises(CropError, match=r"other settings \(binning: 1, now 2\).*--redo crop"):
        run(index, tmp_path / "out", binning=2)
    with pytest.raises(CropError, match=r"got a binning of 0, wanted 1 \(none\) to 16"):
        run(index, tmp_path / "other", binning=0)


def test_a_field_smaller_than_a_block_is_left_out_by_name(make_plate, tmp_path):
    index = make_plate(2)
    small = index.fields["Path_DNA"][0]
    for path in index.fields.loc[0, ["Path_GFP", "Path_DNA"]]:
        tifffile.imwrite(path, np.zeros((96, 1), np.uint16))
    report = crop(index, tmp_path / "out", size=16, binning=2, progress=False)
    (problem,) = report.problems["Problem"]
    assert problem.endswith("is 96 × 1 pixels, too few for a binning of 2")
    assert small.rsplit("_", 1)[0] in problem
    assert report.kept


def test_dust_is_told_where_it_is_in_the_files(make_plate, tmp_path):
    index = make_plate(16)
    for _ in range(2):
        enlarge(index)
    report = examples.run(index, tmp_path / "out", binning=4)
    [told] = (remark for remark in report.remarks if "dust" in remark)
    assert "at row 138, column 122: dust" in told  # 4 (34 + 0.5) - 0.5

"""Classes made of what is measured."""

import numpy as np
import pytest
from typer.testing import CliRunner

from cellssl.cli.application import app
from cellssl.crops import CropBatch, Crops, label_crops
from cellssl.crops.labelling import total_intensity
from cellssl.errors import CropError


@pytest.fixture
def graded(crop_file, batch):
    """Nine cells of rising brightness on a ground of 100: cell i has (i + 1) × 6 × 50 in its mask."""
    given = batch(9)
    images = np.full_like(given.images, 100)
    masks = np.zeros_like(given.masks)
    masks[:, 0, 2:4, 2:5], masks[:, 0, 6:, 6:] = 1, 2
    images[:, 0, 2:4, 2:5] += (np.arange(9)[:, None, None] * 50 + 50).astype(np.uint16)
    images[:, 0, 6:, 6:] = 40_000  # a bright neighbour
    order = np.random.default_rng(0).permutation(9)
    return crop_file(CropBatch(images[order], masks[order], given.obs)), order


def test_light_is_summed_in_the_cells_own_mask(graded):
    crops, order = graded
    np.testing.assert_allclose(total_intensity(crops, "DNA"), (order + 1) * 300)


def test_without_masks_the_whole_crop_counts(crop_file, batch):
    given = batch(4)
    crops = crop_file(CropBatch(given.images, None, given.obs))
    light = given.images[:, 1].reshape(4, -1).astype(float)
    expected = (light - np.percentile(light, 10, axis=1, keepdims=True)).sum(axis=1)
    np.testing.assert_allclose(total_intensity(crops, "Actin"), expected)


def test_classes_follow_the_intensity_and_nothing_else_changes(graded, tmp_path):
    crops, order = graded
    made = Crops.open(label_crops(crops, tmp_path / "new.h5ad", by="DNA", name="DNA content"))
    expected = np.array(["low", "middle", "high"])[order // 3]
    assert made.obs["Metadata_DNA content"].tolist() == expected.tolist()
    np.testing.assert_array_equal(made.read(), crops.read())
    np.testing.assert_array_equal(made.masks(), crops.masks())
    assert list(made.obs.columns[:-1]) == list(crops.obs.columns)
    about = made.uns["cellssl"]
    assert about["segmenter"]["name"] == "test"
    assert about["labelled"]["Metadata_DNA content"]["by"] == "DNA"


def test_a_column_of_numbers_and_ranks_within_plates(crop_file, batch, tmp_path):
    path = crop_file(batch(4), batch(4, plate="P2", start=10)).path
    made = Crops.open(label_crops(path, path, by="Area_Nucleus", name="Size", classes=2))
    assert made.obs["Metadata_Size"].tolist() == ["low"] * 4 + ["high"] * 4
    again = label_crops(path, path, by="area_nucleus", name="Size", classes=2, per="plate")
    assert Crops.open(again).obs["Metadata_Size"].tolist() == ["low", "low", "high", "high"] * 2
    assert list(made.obs.columns) == list(Crops.open(again).obs.columns)


def test_a_cell_without_a_number_gets_no_class(crop_file, batch, tmp_path):
    given = batch(5)
    given.obs.loc[given.obs.index[2], "Area_Nucleus"] = np.nan
    made = label_crops(
        crop_file(given), tmp_path / "n.h5ad", by="Area_Nucleus", name="A", classes=4
    )
    named = Crops.open(made).obs["Metadata_A"].tolist()
    assert named == ["1 of 4", "2 of 4", "", "3 of 4", "4 of 4"]


def test_a_column_without_any_number_makes_no_classes(crop_file, batch, tmp_path):
    given = batch(5)
    given.obs["Area_Nucleus"] = np.nan
    with pytest.raises(CropError, match=r"none of the 5 cells of .* has a number in 'Area_Nuc"):
        label_crops(crop_file(given), tmp_path / "n.h5ad", by="Area_Nucleus", name="A")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"by": "DPAI"}, "no channel or column of numbers 'DPAI'; channels: DNA, Actin; columns: "),
        ({"by": "Metadata_Well"}, "no channel or column of numbers"),
        ({"by": "DNA", "per": "Plat"}, "no column 'Plat' to rank within"),
        ({"by": "DNA", "classes": 1}, "classes: wanted .* 2 or more, got 1"),
        ({"by": "DNA", "classes": 7}, "too few for 7 classes"),
        ({"by": "DNA", "name": "Well"}, "has a column 'Well' already; take another name"),
        ({"by": "DNA", "name": "area_nucleus"}, "has a column 'area_nucleus' already"),
        ({"by": "DNA", "name": "a/b"}, "cannot name a column"),
    ],
)
def test_mistakes_are_told(given, message, crop_file, batch, tmp_path):
    with pytest.raises(CropError, match=message):
        label_crops(crop_file(batch(4)), tmp_path / "n.h5ad", **{"name": "A", **given})


def test_on_the_command_line(crop_file, batch, tmp_path):
    path, out = crop_file(batch(6)).path, tmp_path / "labelled.h5ad"
    options = ["--by", "DNA", "--name", "DNA content", "-o", str(out)]
    result = CliRunner().invoke(app, ["crops", "label", str(path), *options])
    assert result.exit_code == 0, result.output
    assert "low: 2, middle: 2, high: 2" in result.output
    assert "--label 'DNA content'" in result.output

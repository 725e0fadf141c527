"""A protocol is held against a sample of a crop file, masks included."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cellssl.cli.application import app
from cellssl.crops import CropBatch, Crops, write_crops
from cellssl.errors import ProtocolError
from cellssl.protocols import resolve
from cellssl.studies.suitability import check_protocol


def protocol(views: object, **changes: object):
    long = {"training.epochs": 150}  # as many steps: 40 cells are one batch
    return resolve("natural-moco", {"crop.size": 16, "views": views, **long, **changes})


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 cells of two channels, the second bright, with a mask of the nucleus."""
    rng = np.random.default_rng(0)
    images = rng.integers(1, 1000, size=(40, 2, 24, 24), dtype=np.uint16)
    images[:, 1] = 900 + images[:, 1] // 10
    masks = np.zeros((40, 1, 24, 24), np.uint8)
    masks[:, :, 8:16, 8:16] = 1
    obs = pd.DataFrame(
        {"Metadata_Plate": "P1", "Metadata_Well": "A01", "Metadata_Compound": "DMSO"},
        index=[f"P1/A01/1/{i}" for i in range(40)],
    )
    return write_crops(
        tmp_path_factory.mktemp("crops") / "crops.h5ad",
        [CropBatch(images, masks, obs)],
        channels=["DNA", "Tubulin"],
        size=24,
        provenance={},
        masks=("nucleus",),
    )


def test_a_protocol_that_suits(crops: Path) -> None:
    assert check_protocol(protocol([[{"flip": {}}]]), crops) == []
    assert check_protocol(protocol([[{"flip": {}}]]), Crops.open(crops), cells=5) == []


def test_a_training_of_few_steps_is_said(crops: Path) -> None:
    (found,) = check_protocol(protocol([[{"flip": {}}]], **{"training.epochs": 149}), crops)
    assert found.message.startswith("40 cells in batches of 40 for 149 epochs make 149 steps")


def test_views_are_made_of_the_crops(crops: Path) -> None:
    found = check_protocol(protocol([[{"stain_gain": {"amplitude": 1.0}}]]), crops)
    assert {finding.level for finding in found} == {"warning"}
    assert "of DNA's pixels are saturated by view 1" in found[0].message
    assert "lower stain_gain" in found[0].message


def test_masks_are_read_where_they_are_needed(crops: Path) -> None:
    views = [[{"mask_background": {"fill": "black"}}]]
    told = [one.message for one in check_protocol(protocol(views), crops)]
    assert sum("without mask_background" in one for one in told) == 2


def test_columns_are_looked_at(crops: Path) -> None:
    assert check_protocol(protocol([[]], positives="same_treatment"), crops) == []
    kind = {"kind": "same_treatment", "columns": ["MOA"]}
    (found,) = check_protocol(protocol([[]], positives=kind), crops)
    assert found.level == "error"
    assert "Metadata_MOA" in found.message


@pytest.mark.parametrize(
    ("positives", "told"),
    [
        ({"kind": "same_well", "exclude_plates": ["P2"]}, "the cells have no plate 'P2'"),
        ({"kind": "same_well", "exclude_plates": ["P1"]}, "no image has a partner"),
    ],
)
def test_positives_that_training_would_refuse(crops: Path, positives: object, told: str) -> None:
    found = check_protocol(protocol([[{"flip": {}}]], positives=positives), crops)
    assert [one.level for one in found] == ["error"]
    assert told in found[0].message


def test_the_command_says_what_was_found(crops: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\nextends: natural-moco\ncrop: {size: 16}\n"
        "views: [[stain_gain: {amplitude: 1.0}]]\n"
    )
    result = CliRunner().invoke(app, ["protocols", "check", str(path), str(crops)])
    assert result.exit_code == 0, result.output
    assert "warning: " in result.output
    assert result.output.strip().endswith(f"mine fits {crops}")
    result = CliRunner().invoke(app, ["protocols", "check", "translocation-expert", str(crops)])
    assert result.exit_code == 1
    assert "translocation-expert does not fit" in result.output
    assert "channel 'GFP' is not in the data" in result.output.replace("\n", " ")


def test_a_wrong_protocol_is_told_first(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="no protocol is called"):
        check_protocol("natural-mocco", tmp_path / "none.h5ad")

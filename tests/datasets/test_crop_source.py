"""Cells of a crop file as scaled images on a device."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from cellssl.crops import (
    CropBatch,
    Crops,
    FittedScaling,
    Scaling,
    fit_scaling,
    import_crops,
    scale,
    write_crops,
)
from cellssl.datasets import CropSource
from cellssl.errors import CropError


def make_crops(folder: Path, *, cells: int = 12, dtype: type = np.uint16) -> Crops:
    top = np.iinfo(dtype).max
    pixels = np.random.default_rng(0).integers(0, top, (cells, 2, 6, 6), dtype, endpoint=True)
    names = [f"P{i % 2}/A01/1/{i}" for i in range(cells)]
    obs = pd.DataFrame({"Metadata_Plate": [f"P{i % 2}" for i in range(cells)]}, index=names)
    path = folder / "crops.h5ad"
    batch = CropBatch(images=pixels, masks=None, obs=obs)
    write_crops(path, [batch], channels=["DNA", "Actin"], size=6, provenance={})
    return Crops.open(path)


def global_scaling(low: float = 0, high: float = 65535) -> FittedScaling:
    bounds = {"global": np.full(2, low, np.float32)}, {"global": np.full(2, high, np.float32)}
    return FittedScaling(Scaling(per="global"), ("DNA", "Actin"), *bounds)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_gather_is_the_files_pixels_scaled(tmp_path: Path, dtype: type) -> None:
    crops = make_crops(tmp_path, dtype=dtype)
    top = float(np.iinfo(dtype).max)
    source = CropSource(crops, global_scaling(0, top))
    index = torch.tensor([7, 0, 7])
    got = source.gather(index)
    wanted = crops.read([7, 0, 7]).astype(np.float64) / top
    assert got.dtype == torch.float32
    np.testing.assert_allclose(got.numpy(), wanted, atol=1e-6)


def test_each_plate_has_its_own_bounds(tmp_path: Path) -> None:
    crops = make_crops(tmp_path)
    rule = Scaling(per="plate", transform="sqrt")
    low = {"P0": np.array([0, 0], np.float32), "P1": np.array([1000, 2000], np.float32)}
    high = {"P0": np.array([100, 200], np.float32), "P1": np.array([30000, 60000], np.float32)}
    source = CropSource(crops, FittedScaling(rule, ("DNA", "Actin"), low, high))
    got = source.gather(torch.arange(2)).numpy()
    for cell, plate in enumerate(("P0", "P1")):
        wanted = scale(crops.read([cell]), low[plate][None], high[plate][None], transform="sqrt")
        np.testing.assert_allclose(got[cell], wanted[0], atol=1e-6)


def test_from_disk_equals_from_memory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    crops = make_crops(tmp_path)
    scaling = fit_scaling(crops, Scaling(per="global"))
    within = CropSource(crops, scaling)
    with caplog.at_level(logging.INFO):
        beyond = CropSource(crops, scaling, memory_limit=10)
    assert within.in_memory
    assert not beyond.in_memory
    assert "read from" in caplog.text
    index = torch.tensor([5, 2, 11, 5])
    assert torch.equal(within.gather(index), beyond.gather(index))


def test_channels_by_name_and_in_the_order_asked(tmp_path: Path) -> None:
    crops = make_crops(tmp_path)
    both = CropSource(crops, global_scaling())
    turned = CropSource(crops, global_scaling(), channels=["Actin", "DNA"])
    assert turned.channels == ("Actin", "DNA")
    index = torch.arange(4)
    assert torch.equal(turned.gather(index), both.gather(index).flip(1))
    with pytest.raises(CropError, match=r"no channel Tubulin.*DNA, Actin"):
        CropSource(crops, global_scaling(), channels=["Tubulin"])


def test_a_cell_keeps_its_id_in_any_subset(tmp_path: Path) -> None:
    crops = make_crops(tmp_path)
    whole = CropSource(crops, global_scaling())
    part = CropSource(crops, global_scaling(), rows=[8, 3])
    mask = np.zeros(12, bool)
    mask[[3, 8]] = True
    masked = CropSource(crops, global_scaling(), rows=mask)
    assert len(part) == len(masked) == 2
    assert part.obs.index.tolist() == ["P0/A01/1/8", "P1/A01/1/3"]
    assert torch.equal(part.samples, whole.samples[[8, 3]])
    assert torch.equal(masked.samples, whole.samples[[3, 8]])
    assert torch.equal(part.gather(torch.tensor([1])), whole.gather(torch.tensor([3])))
    assert whole.samples.dtype == torch.int64
    assert len(whole.samples.unique()) == 12
    assert (whole.samples >= 0).all()


def test_ids_never_change(tmp_path: Path) -> None:
    # Written down: another hash would change every view of every run.
    source = CropSource(make_crops(tmp_path), global_scaling(), rows=[1])
    assert source.obs.index.tolist() == ["P1/A01/1/1"]
    assert source.samples.tolist() == [7459941990815172355]


def test_rows_that_are_not_there(tmp_path: Path) -> None:
    crops = make_crops(tmp_path)
    with pytest.raises(CropError, match="no cell is left of the 12"):
        CropSource(crops, global_scaling(), rows=[])
    with pytest.raises(IndexError, match="row 3 or 12 outside 0 … 11"):
        CropSource(crops, global_scaling(), rows=[3, 12])
    with pytest.raises(IndexError, match="for 12 cells"):
        CropSource(crops, global_scaling(), rows=np.ones(5, bool))


def test_to_moves_and_gives_itself(tmp_path: Path) -> None:
    source = CropSource(make_crops(tmp_path), global_scaling())
    assert source.to("cpu") is source
    assert source.device == torch.device("cpu")


def test_real_crops(data: Path, tmp_path: Path) -> None:
    folder = data / "bbbc021" / "crops"
    channels = ["DAPI", "Tubulin", "Actin"]
    path = import_crops(
        folder / "crops.h5", folder / "cells.csv", tmp_path / "crops.h5ad", channels=channels
    )
    crops = Crops.open(path)
    source = CropSource(crops, fit_scaling(crops, Scaling(per="global", transform="sqrt")))
    assert (len(source), source.size, source.channels) == (4919, 68, tuple(channels))
    images = source.gather(torch.tensor([4918, 17]))
    assert images.shape == (2, 3, 68, 68)
    assert 0 <= images.min() < 0.3 < images.max() <= 1
    assert len(source.samples.unique()) == 4919


@pytest.mark.parametrize("memory_limit", [2**30, 0])
def test_masks_are_gathered_with_their_cells(tmp_path: Path, memory_limit: int) -> None:
    masks = np.random.default_rng(0).integers(0, 3, (12, 1, 6, 6)).astype(np.uint8)
    old = make_crops(tmp_path)
    batch = CropBatch(images=old.read(), masks=masks, obs=old.obs)
    (tmp_path / "masked").mkdir()
    path = tmp_path / "masked" / "crops.h5ad"
    write_crops(path, [batch], channels=["DNA", "Actin"], size=6, provenance={})
    crops, rows, index = Crops.open(path), [9, 3, 4], torch.tensor([2, 0, 2])
    options = {"rows": rows, "memory_limit": memory_limit}
    source = CropSource(crops, global_scaling(), masks=True, **options)
    assert source.in_memory == (memory_limit > 0)
    gathered = source.gather_masks(index)
    assert gathered is not None
    assert (gathered.numpy() == masks[[4, 9, 4]]).all()
    assert CropSource(crops, global_scaling(), **options).gather_masks(index) is None
    with pytest.raises(CropError, match="has no masks"):
        CropSource(old, global_scaling(), masks=True)

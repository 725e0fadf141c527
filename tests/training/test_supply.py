"""Images read ahead from a file give the steps that images in memory give."""

import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from cellssl.crops import CropBatch, Crops, Scaling, fit_scaling, write_crops
from cellssl.datasets import CropSource
from cellssl.errors import TrainingError
from cellssl.training import Partners, TrainingSettings, epoch_order, make_plan
from cellssl.training.supply import DiskSupply, MemorySupply, make_supply

CELLS = 50


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Crops:
    random = np.random.default_rng(0)
    obs = pd.DataFrame(
        {"Metadata_Plate": "p", "Metadata_Well": np.repeat(["A01", "A02"], CELLS // 2)},
        index=[f"p/A0{1 + 2 * i // CELLS}/1/{i}" for i in range(CELLS)],
    )
    images = random.integers(0, 65535, (CELLS, 2, 12, 12)).astype(np.uint16)
    masks = random.integers(0, 3, (CELLS, 1, 12, 12)).astype(np.uint8)
    path = tmp_path_factory.mktemp("crops") / "crops.h5ad"
    batches = [CropBatch(images, masks, obs)]
    return Crops.open(write_crops(path, batches, channels=["a", "b"], size=12, provenance={}))


def open_source(crops: Crops, *, limit: int) -> CropSource:
    scaling = fit_scaling(crops, Scaling(per="global"))
    return CropSource(crops, scaling, masks=True, memory_limit=limit)


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize(("rank", "ranks"), [(0, 1), (1, 2)])
def test_disk_gives_what_memory_gives(
    paired: bool, accumulate: int, rank: int, ranks: int, crops: Crops
) -> None:
    plan = make_plan(CELLS, TrainingSettings(batch_size=8, epochs=3, accumulate=accumulate))
    supplies = []
    for limit in (10**9, 0):
        source = open_source(crops, limit=limit)
        partners = Partners(source.obs["Metadata_Well"].to_numpy()) if paired else None
        supplies.append(make_supply(source, partners, plan, seed=3, rank=rank, ranks=ranks))
    memory, disk = supplies
    assert isinstance(memory, MemorySupply)
    assert isinstance(disk, DiskSupply)
    for step in (0, 1, 2, *range(plan.total - 4, plan.total), 1):  # forwards, a leap, and back
        memory.turn_to(step)
        disk.turn_to(step)
        epoch, within = divmod(step, plan.steps)
        own = slice(rank * 8 // ranks, (rank + 1) * 8 // ranks)
        assert torch.equal(memory.index, epoch_order(3, epoch, plan)[within, :, own])
        for part in range(accumulate):
            one, other = memory.give(part), disk.give(part)
            assert one.images.shape == (8 // ranks, 2, 12, 12)
            wanted = {"masks", "partners", "partner_masks"} if paired else {"masks"}
            assert one.others.keys() == other.others.keys() == wanted
            for name in ("index", "images", "samples"):
                assert torch.equal(getattr(one, name), getattr(other, name)), (step, part, name)
            for name in wanted:
                assert torch.equal(one.others[name], other.others[name]), (step, part, name)
    disk.close()


def test_ranks_share_a_batch(crops: Crops) -> None:
    plan = make_plan(CELLS, TrainingSettings(batch_size=8))
    source = open_source(crops, limit=10**9)
    whole = make_supply(source, None, plan, seed=0)
    halves = [make_supply(source, None, plan, seed=0, rank=rank, ranks=2) for rank in (0, 1)]
    for supply in (whole, *halves):
        supply.turn_to(2)
    together = torch.cat([half.index for half in halves], dim=1)
    assert torch.equal(together, whole.index)


def test_reading_ends_with_the_supply(crops: Crops) -> None:
    plan = make_plan(CELLS, TrainingSettings(batch_size=8))
    supply = make_supply(open_source(crops, limit=0), None, plan, seed=0)
    supply.turn_to(0)
    supply.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("read-ahead")]


def test_a_file_that_breaks_says_so_in_the_step(crops: Crops, tmp_path: Path) -> None:
    copy = tmp_path / "crops.h5ad"
    copy.write_bytes(Path(crops.path).read_bytes())
    source = open_source(Crops.open(copy), limit=0)
    plan = make_plan(CELLS, TrainingSettings(batch_size=8))
    supply = make_supply(source, None, plan, seed=0)
    source._crops.close()
    copy.unlink()
    with pytest.raises(TrainingError, match=r"images of step 1 cannot be read .*crops.*goes on"):
        supply.turn_to(0)
    supply.close()

"""Simulated cells and a study small enough to be carried out in seconds."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from cellssl.crops import CropBatch, write_crops
from cellssl.studies import Outcome, Study, carry_out, load_study, score_study

#: 32-px cells, an eighth of the width, three steps.
TINY = """\
name: tiny
question: Does a brighter stain or a turned cell matter?
protocol: bbbc021-expert
crop: {size: 32, scaling: {per: global}}
training:
  method: simclr
  method_options: {hidden: 16, dim: 8}
  width: 0.125
  epochs: 3
  samples_per_epoch: 16
  batch_size: 16
  warmup_epochs: 0
  optimizer: sgd # AdamW makes rounding errors of gradients near zero into steps
  lr: 0.01
axes:
  views:
    expert: {}
    geometry: {keep: [rotate, flip]}
seeds: 2
label: MOA
baselines: [simple-features]
combine:
  both: [expert, geometry]
  expert, two seeds: [expert, expert]
"""


@pytest.fixture(scope="session")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """72 cells of two plates and three classes: DMSO, a bright and a small one."""
    rng = np.random.default_rng(0)
    kind = np.arange(72) % 3
    y, x = np.mgrid[:32, :32] - 15.5
    radius = np.where(kind == 2, 6, 11)[:, None, None]
    disc = (np.hypot(y, x) < radius + rng.normal(0, 1, (72, 1, 1)))[:, None]
    level = np.where(kind == 1, 3000, 1500)[:, None, None, None]
    images = (disc * level + rng.integers(50, 300, (72, 3, 32, 32))).astype(np.uint16)
    plate = np.where(np.arange(72) < 36, "P1", "P2")
    well = [f"{'ABC'[i % 3]}{1 + i % 2:02}" for i in range(72)]
    obs = pd.DataFrame(
        {
            "Metadata_Plate": plate,
            "Metadata_Well": well,
            "Metadata_Site": "1",
            "Metadata_MOA": np.array(["DMSO", "bright", "small"])[kind],
            "Metadata_Compound": np.array(["DMSO", "taxol", "latrunculin"])[kind],
            "Metadata_Concentration": 1.0,
            "Metadata_Label": np.arange(72),
        },
        index=[f"{p}/{w}/1/{i}" for i, (p, w) in enumerate(zip(plate, well, strict=True))],
    )
    path = tmp_path_factory.mktemp("cells") / "crops.h5ad"
    names = ["DAPI", "Tubulin", "Actin"]
    batch = CropBatch(images, None, obs)
    return write_crops(path, [batch], channels=names, size=32, provenance={})


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="session")
def tiny(tiny_file: Path) -> Study:
    return load_study(tiny_file)


@pytest.fixture(scope="session")
def carried_out(tiny: Study, cells: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tiny study, all its runs finished."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("carried") / "out"
    assert carry_out(tiny, cells, out, device="cpu", progress=False) == {}
    return out


@pytest.fixture(scope="session")
def outcome(tiny: Study, cells: Path, carried_out: Path) -> Outcome:
    """What the tiny study found."""
    return score_study(tiny, cells, carried_out, device="cpu", progress=False)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Libraries that score set the number of threads; with another, sums are rounded otherwise."""
    torch.set_num_threads(1)

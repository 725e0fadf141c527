"""Small crops of two plates, and a checkpoint as training writes it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from cellssl.crops import CropBatch, Crops, FittedScaling, Scaling, fit_scaling, write_crops
from cellssl.encoders import build


def make_crops(
    path: Path,
    *,
    cells: int = 60,
    channels: tuple[str, ...] = ("DNA", "Actin"),
    size: int = 24,
    gain: float = 1.0,
    area: bool = True,
) -> Crops:
    """Cells of two plates of three wells each; the second plate is twice as bright."""
    random = np.random.default_rng(5)
    plates = np.where(np.arange(cells) < cells // 2, "P1", "P2")
    wells = np.array(["A01", "A02", "B01"])[np.arange(cells) % 3]
    images = random.gamma(2, 200, (cells, len(channels), size, size)) * gain
    images *= np.where(plates == "P1", 1, 2)[:, None, None, None]
    obs = pd.DataFrame(
        {
            "Metadata_Plate": plates,
            "Metadata_Well": wells,
            "Metadata_Site": np.arange(cells) % 2,
            "Metadata_Control": np.where(wells == "A01", "negative", ""),
            "Quality_Edge": np.arange(cells) % 5 == 0,
        },
        index=[f"{p}/{w}/1/{i}" for i, (p, w) in enumerate(zip(plates, wells, strict=True))],
    )
    if area:
        obs["Area_Nucleus"] = np.arange(cells) + 100
    batch = CropBatch(images=images.astype(np.uint16), masks=None, obs=obs)
    return Crops.open(write_crops(path, [batch], channels=channels, size=size, provenance={}))


def save_run(folder: Path, crops: Crops, **changes: Any) -> Path:
    """Write a run folder with an untrained encoder that says it was trained."""
    channels = changes.pop("channels", list(crops.channels))
    rule = changes.pop("rule", Scaling())
    torch.manual_seed(1)
    encoder = build("resnet18", len(channels), width=0.125)
    scaling: FittedScaling = fit_scaling(crops, rule)
    checkpoint = {
        "cellssl": "0.1.0",
        "encoder": encoder.describe(),
        "encoder_state": encoder.state_dict(),
        "method_state": {},
        "optimizer_state": {},
        "epoch": 3,
        "step": 30,
        "finished": True,
        "settings": {"seed": 3},
        "channels": channels,
        "crop_size": 16,
        "scaling": scaling.to_dict(),
        "protocol_name": "expert",
        "positives": "same_cell",
        **changes,
    }
    folder.mkdir()
    torch.save(checkpoint, folder / "checkpoint.pt")
    return folder


@pytest.fixture(scope="session")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Crops:
    return make_crops(tmp_path_factory.mktemp("crops") / "crops.h5ad")


@pytest.fixture
def run_folder(crops: Crops, tmp_path: Path) -> Path:
    return save_run(tmp_path / "run", crops)


@pytest.fixture
def new_crops(tmp_path: Path) -> Callable[..., Crops]:
    """Make other crops, e.g. ``new_crops(gain=3)``."""
    return lambda **options: make_crops(tmp_path / "other.h5ad", **options)


@pytest.fixture
def new_run(crops: Crops, tmp_path: Path) -> Callable[..., Path]:
    """Make another run, e.g. ``new_run(positives="same_treatment")``."""
    return lambda **changes: save_run(tmp_path / "other-run", crops, **changes)

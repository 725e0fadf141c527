"""Each method learns: digits are told apart better than by an untrained encoder, and not without views."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import cellssl
from cellssl import methods
from cellssl.crops import CropBatch, write_crops
from cellssl.datasets import import_images
from cellssl.scores import knn_predict

MARGIN = 0.12  # above an untrained encoder; stated before the runs, for this budget
BUDGET: dict[str, Any] = {"training.epochs": 25, "training.batch_size": 128}
SLOW_STARTER = {"byol": {"training.epochs": 80}}  # it has hardly begun after 25
#: heads as small as the task, so that a run takes seconds
HEADS: dict[str, dict[str, Any]] = {
    "simclr": {"hidden": 256, "dim": 64},
    "moco": {"hidden": 256, "dim": 64, "queue": 1024},
    "byol": {"hidden": 256, "dim": 64, "predictor_hidden": 256, "momentum": 0.9},
    "barlow_twins": {"hidden": 256, "dim": 256},
    "vicreg": {"hidden": 256, "dim": 256},
}
IDENTITY = """
version: 2
name: identity
extends: mnist-styles-forgotten
views:
  - - flip: {p: 0, because: both views are the same picture}
"""


def read_idx(path: Path, *, header: int) -> np.ndarray:
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


@pytest.fixture(scope="module")
def digits(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,500 digits to train on, 1,000 to test."""
    images = read_idx(data / "mnist" / "t10k-images-idx3-ubyte.gz", header=16)
    labels = read_idx(data / "mnist" / "t10k-labels-idx1-ubyte.gz", header=8)[:2500]
    obs = pd.DataFrame(
        {
            "Metadata_Plate": "mnist",
            "Metadata_Class": labels.astype(str),
            "Metadata_Split": np.where(np.arange(2500) < 1500, "train", "test"),
        },
        index=[f"mnist/{i}" for i in range(2500)],
    )
    batch = CropBatch(images.reshape(-1, 1, 28, 28)[:2500], None, obs)
    path = tmp_path_factory.mktemp("digits") / "crops.h5ad"
    return write_crops(path, [batch], channels=["Grey"], size=28, provenance={})


def knn_accuracy(crops: Path, model: str | Path, **options: Any) -> float:
    """Share of test pictures whose class the training pictures nearby tell."""
    embedded = cellssl.embed(crops, model, progress=False, device="cpu", **options)
    features = np.asarray(embedded.X)
    features = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-6)
    labels = embedded.obs["Metadata_Class"].astype(str).to_numpy()
    test = (embedded.obs["Metadata_Split"] == "test").to_numpy()
    return float((knn_predict(features, labels, test=test) == labels[test]).mean())


def trained(crops: Path, protocol: str | Path, name: str, out: Path, **changes: Any) -> float:
    """Train and measure."""
    method = {"training.method": name, "training.method_options": HEADS[name]}
    budget = {**BUDGET, **SLOW_STARTER.get(name, {})}
    cellssl.train(
        crops, protocol, out, changes={**budget, **method, **changes}, progress=False, device="cpu"
    )
    return knn_accuracy(crops, out)


@pytest.fixture(scope="module")
def untrained(digits: Path) -> float:
    """Median of three seeds."""
    scores = [knn_accuracy(digits, "random:resnet18", width=0.25, seed=seed) for seed in range(3)]
    return float(np.median(scores))


def learn_digits(crops: Path, protocol: str | Path, name: str, out: Path) -> float:
    """Accuracy after the budget, with all 1,500 digits in each epoch."""
    return trained(crops, protocol, name, out, **{"training.samples_per_epoch": None})


EACH = [pytest.param(n, marks=pytest.mark.slow) if n == "byol" else n for n in methods.names()]


@pytest.mark.parametrize("name", EACH)
def test_digits_are_learnt(name: str, digits: Path, untrained: float, tmp_path: Path) -> None:
    learnt = learn_digits(digits, "mnist-styles-forgotten", name, tmp_path / "run")
    assert learnt > untrained + MARGIN


@pytest.mark.slow
@pytest.mark.parametrize("name", methods.names())
def test_nothing_is_learnt_from_two_equal_views(
    name: str, digits: Path, untrained: float, tmp_path: Path
) -> None:
    protocol = tmp_path / "identity.yaml"
    protocol.write_text(IDENTITY)
    assert learn_digits(digits, protocol, name, tmp_path / "run") < untrained + MARGIN / 2


@pytest.mark.slow
@pytest.mark.parametrize("name", methods.names())
def test_photographs_are_learnt(name: str, data: Path, tmp_path: Path) -> None:
    # The JPEG stand-in for CIFAR-10, a budget of minutes: a sign of learning, not a result.
    archives = [data / "cifar10" / f"{part}.zip" for part in ("train", "test")]
    crops = import_images(archives, tmp_path / "cifar10.h5ad")
    changes = {
        "training.width": 0.25,
        "training.stem": "imagenet",
        "training.optimizer": "adamw",
        "training.lr": 0.002,
        "training.samples_per_epoch": 6000,
        "training.warmup_epochs": 1,
    }
    protocol = f"cifar-{name.replace('_', '-')}"
    untrained = knn_accuracy(crops, "random:resnet18", width=0.25)
    assert trained(crops, protocol, name, tmp_path / "run", **changes) > untrained + 0.02

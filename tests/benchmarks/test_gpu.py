"""Speed of training on an NVIDIA GPU beside the bare network, eager and in a graph, and lightly."""

import gc
import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from cellssl import encoders, methods, protocols
from cellssl.augment import View, Views
from cellssl.crops import CropBatch, Crops, Scaling, fit_scaling, write_crops
from cellssl.datasets import CropSource
from cellssl.training import TrainingSettings, fit, seeded
from cellssl.training.capture import CapturedStep
from cellssl.training.optimizers import make_optimizer, set_learning_rate

pytestmark = [
    pytest.mark.bench,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]
CHANNELS = ("DAPI", "Tubulin", "Actin")
CELLS = 16384
#: network, batch, side of the view, recipe
CASES: list[tuple[dict[str, Any], int, int, str]] = [
    ({"encoder": "resnet18"}, 128, 64, "natural-simclr"),
    ({"encoder": "resnet18"}, 256, 64, "natural-simclr"),
    ({"encoder": "resnet18"}, 256, 64, "bbbc021-expert"),
    ({"encoder": "resnet18"}, 512, 64, "natural-simclr"),
    ({"encoder": "vgg13_bn"}, 256, 64, "natural-simclr"),
    ({"encoder": "resnet18", "stem": "cifar"}, 256, 32, "cifar-simclr"),
]
OPTIMIZER = {"optimizer": "sgd", "lr": 0.3}


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Crops:
    """Crops of noise, 3 × 96 × 96 in 8 bits."""
    random = np.random.default_rng(0)

    def batches() -> Iterator[CropBatch]:
        for start in range(0, CELLS, 1024):
            names = [f"p/A01/1/{i}" for i in range(start, start + 1024)]
            images = random.integers(0, 256, (1024, 3, 96, 96), dtype=np.uint8)
            yield CropBatch(images, None, pd.DataFrame({"Metadata_Plate": "p"}, index=names))

    path = tmp_path_factory.mktemp("crops") / "crops.h5ad"
    return Crops.open(write_crops(path, batches(), channels=CHANNELS, size=96, provenance={}))


class Bare:
    """Forward, backward and update on fixed views: no data, no augmentation."""

    def __init__(self, settings: TrainingSettings, size: int) -> None:
        with seeded(0):
            encoder = encoders.build(settings.encoder, 3, width=settings.width, stem=settings.stem)
            self.method = methods.build(settings.method, encoder).cuda().train()
        self.method.to(memory_format=torch.channels_last)
        self.optimizer = make_optimizer(self.method, settings)
        set_learning_rate(self.optimizer, 0.01)
        self.views = [
            torch.rand(settings.batch_size, 3, size, size, device="cuda").contiguous(
                memory_format=torch.channels_last
            )
            for _ in range(2)
        ]

    def __call__(self) -> Tensor:
        with torch.autocast("cuda", torch.bfloat16):
            loss = self.method(*self.views)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    def forget(self) -> None:
        """Nothing is left behind."""


def rate(step: Callable[[], object], views: int, *, seconds: float = 1.2) -> float:
    """Views a second, over as many steps as fit."""
    for _ in range(10):
        step()
    torch.cuda.synchronize()
    began, steps = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        for _ in range(20):
            step()
        torch.cuda.synchronize()
        steps += 20
    return steps * views / (time.perf_counter() - began)


def fitted(settings: TrainingSettings, views: Views, crops: Crops, folder: Path) -> float:
    """Views a second over four epochs, after those that compile and record; checkpoints counted."""
    source = CropSource(crops, fit_scaling(crops, Scaling(per="global")))
    with seeded(0):
        encoder = encoders.build(settings.encoder, 3, width=settings.width, stem=settings.stem)
        method = methods.build(settings.method, encoder)
    fit(method, source, views, settings, folder, device="cuda", progress=False)
    rows = pd.read_csv(folder / "metrics.csv")
    epochs = rows.groupby("epoch")["seconds"].max()
    print(rows[["epoch", "step", "seconds", "images_per_second"]].to_csv(index=False))
    return 2 * len(source) * 4 / float(epochs.loc[6] - epochs.loc[2])


def lightlys(bare: Bare, crops: Crops, batch: int, size: int) -> float:
    """The bare step fed by lightly's transform in as many workers as there are cores."""
    from lightly.transforms import SimCLRTransform
    from PIL import Image

    pixels = crops.read(np.arange(CELLS))[:, :, :size, :size].transpose(0, 2, 3, 1).copy()
    transform = SimCLRTransform(input_size=size, gaussian_blur=0.0 if size == 32 else 0.5)

    class Pictures(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(pixels)

        def __getitem__(self, index: int) -> tuple[Tensor, ...]:
            return tuple(transform(Image.fromarray(pixels[index])))

    loader = torch.utils.data.DataLoader(
        Pictures(),
        batch_size=batch,
        shuffle=True,
        num_workers=os.cpu_count() or 1,
        drop_last=True,
        pin_memory=True,
        persistent_workers=True,
    )
    rates = []
    for _ in range(3):
        began = time.perf_counter()
        for views in loader:
            bare.views = [
                v.cuda(non_blocking=True).contiguous(memory_format=torch.channels_last)
                for v in views
            ]
            bare()
        torch.cuda.synchronize()
        rates.append(2 * batch * len(loader) / (time.perf_counter() - began))
    return max(rates[1:])


def views_of(recipe: str, size: int) -> Views:
    """The recipe's two views of CHANNELS, at the size wanted."""
    protocol = protocols.load(recipe)
    made = [
        View(r.operations, size, channels=CHANNELS, transform=protocol.crop.scaling.transform)
        for r in protocol.views
    ]
    return Views(*made)


@pytest.mark.parametrize(("network", "batch", "size", "recipe"), CASES)
@pytest.mark.filterwarnings("default")
def test_views_a_second(
    network: dict[str, Any], batch: int, size: int, recipe: str, crops: Crops, tmp_path: Path
) -> None:
    settings = TrainingSettings(
        **network,
        **OPTIMIZER,
        batch_size=batch,
        epochs=6,
        precision="bf16-mixed",
        checkpoint_minutes=60,
    )
    torch.backends.cudnn.benchmark = True
    eager = rate(Bare(settings, size), 2 * batch)
    graph = rate(CapturedStep(Bare(settings, size)), 2 * batch)  # type: ignore[arg-type]
    ours = fitted(settings, views_of(recipe, size), crops, tmp_path)
    again = rate(CapturedStep(Bare(settings, size)), 2 * batch)  # type: ignore[arg-type]
    limit = (graph + again) / 2
    theirs = float("nan")
    if recipe.endswith("simclr") and batch == 256 and importlib.util.find_spec("lightly"):
        theirs = lightlys(Bare(settings, size), crops, batch, size)
    gc.collect()
    print(
        f"\n{network['encoder']:9} {size} px batch {batch:3} {recipe:14}  bare eager {eager:7.0f}  "
        f"bare graph {graph:7.0f} {again:7.0f}  fit {ours:7.0f}  lightly {theirs:7.0f} views/s: "
        f"{ours / limit:.3f} of the graph, {ours / eager:.2f} × eager, {ours / theirs:.2f} × lightly"
    )
    assert ours > 0.5 * limit

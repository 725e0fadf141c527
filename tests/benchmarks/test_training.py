"""Speed of training beside the bare network, lightly's loop, and images in memory."""

import importlib.util
import os
import time
from pathlib import Path
from statistics import median
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
from cellssl.methods import Method
from cellssl.training import TrainingSettings, fit, seeded
from cellssl.training.memory import keep_freed_memory
from cellssl.training.optimizers import make_optimizer, set_learning_rate

CHANNELS = ("DAPI", "Tubulin", "Actin")
OPTIONS: dict[str, dict[str, Any]] = {"moco": {"queue": 512}}


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Crops:
    """4,000 crops of noise, 3 × 96 × 96 in 16 bits: 221 MB."""
    random = np.random.default_rng(0)

    def batches() -> Any:
        for start in range(0, 4000, 500):
            names = [f"p/A01/1/{i}" for i in range(start, start + 500)]
            images = random.integers(0, 4096, (500, 3, 96, 96), dtype=np.uint16)
            yield CropBatch(images, None, pd.DataFrame({"Metadata_Plate": "p"}, index=names))

    path = tmp_path_factory.mktemp("crops") / "crops.h5ad"
    return Crops.open(write_crops(path, batches(), channels=CHANNELS, size=96, provenance={}))


def open_source(crops: Crops, **options: Any) -> CropSource:
    return CropSource(crops, fit_scaling(crops, Scaling(per="global")), **options)


def make_method(settings: TrainingSettings) -> Method:
    with seeded(0):
        encoder = encoders.build(settings.encoder, 3, width=settings.width)
        return methods.build(settings.method, encoder, **settings.method_options)


def train(settings: TrainingSettings, source: CropSource, views: Any, folder: Path) -> None:
    fit(make_method(settings), source, views, settings, folder, device="cpu", progress=False)


class Bare:
    """The same passes, heads, loss, optimiser and after-step on fixed views."""

    def __init__(self, settings: TrainingSettings, views: tuple[Tensor, ...]) -> None:
        self.method = make_method(settings).train()
        self.method.begin(4000, settings.batch_size)
        self.optimizer = make_optimizer(self.method, settings)
        set_learning_rate(self.optimizer, settings.lr)
        self.views = [view.contiguous(memory_format=torch.channels_last) for view in views]

    def step(self) -> float:
        """Seconds of a step."""
        began = time.perf_counter()
        self.method(*self.views).backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.method.after_step(0, 100)
        return time.perf_counter() - began


class Alternating:
    """Views for `fit` that make a bare step before each of its own, and keep both times."""

    def __init__(self, views: Views, settings: TrainingSettings) -> None:
        self.views, self.settings = views, settings
        self.bare: Bare | None = None
        self.times: list[tuple[float, float]] = []  # of the bare step, and of fit's before it
        self._left = 0.0

    def __call__(self, *arguments: Any, **others: Any) -> tuple[Tensor, ...]:
        now = time.perf_counter()
        if self.bare is None:
            self.bare = Bare(self.settings, self.views(*arguments, **others))
            self.bare.step()
        elif self._left:
            self.times.append((self.bare.step(), now - self._left))
        self._left = time.perf_counter()
        return self.views(*arguments, **others)


def views_of(recipe: str) -> Views:
    if recipe == "identity":
        return Views(View([], 64, channels=CHANNELS))
    return protocols.build_views(protocols.load(recipe), CHANNELS)


GOALS = [
    (method, "resnet18", 128, recipe, goal)
    for method in methods.names()
    for recipe, goal in (("identity", 0.98), ("bbbc021-expert", 0.92))
] + [
    ("moco", "vgg13", 32, "identity", 0.98),
    ("moco", "vgg13", 32, "bbbc021-expert", 0.92),
]


@pytest.mark.bench
@pytest.mark.parametrize(("method", "encoder", "batch", "recipe", "goal"), GOALS)
def test_share_of_the_bare_network(
    method: str, encoder: str, batch: int, recipe: str, goal: float, crops: Crops, tmp_path: Path
) -> None:
    keep_freed_memory()
    settings = TrainingSettings(
        method=method,
        method_options=OPTIONS.get(method, {}),
        encoder=encoder,
        batch_size=batch,
        epochs=1,
        samples_per_epoch=14 * batch,
    )
    views = Alternating(views_of(recipe), settings)
    train(settings, open_source(crops), views, tmp_path)
    bare, whole = (median(times) for times in zip(*views.times[2:], strict=True))
    print(
        f"\n{method:12} {encoder:9} batch {batch:3}  {recipe:14}  fit {2 * batch / whole:6.1f}  "
        f"bare {2 * batch / bare:6.1f} images/s  share {bare / whole:.3f} (goal {goal})"
    )
    assert bare / whole >= goal


@pytest.mark.bench
def test_beside_lightlys_loop(crops: Crops, tmp_path: Path) -> None:
    """SimCLR over ResNet-18 at 64 px: `fit` against lightly's transform in a DataLoader's workers."""
    if importlib.util.find_spec("lightly") is None:
        pytest.skip("lightly is not installed; pip install 'cellssl[test]'")
    from lightly.transforms import SimCLRTransform
    from PIL import Image

    settings = TrainingSettings(batch_size=128, epochs=1, samples_per_epoch=12 * 128)
    pictures = (open_source(crops).gather(torch.arange(1536)) * 255).byte()
    transform = SimCLRTransform(input_size=64)

    class Pictures(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(pictures)

        def __getitem__(self, index: int) -> tuple[Tensor, ...]:
            return tuple(transform(Image.fromarray(pictures[index].permute(1, 2, 0).numpy())))

    loader = torch.utils.data.DataLoader(
        Pictures(), batch_size=128, shuffle=True, num_workers=os.cpu_count() or 1, drop_last=True
    )
    bare = Bare(settings, (torch.rand(128, 3, 64, 64), torch.rand(128, 3, 64, 64)))
    times: list[float] = []
    began = time.perf_counter()
    for view1, view2 in loader:
        bare.views = [v.contiguous(memory_format=torch.channels_last) for v in (view1, view2)]
        bare.step()
        times.append(time.perf_counter() - began)
        began = time.perf_counter()
    theirs = 256 / median(times[2:])

    views = Alternating(protocols.build_views(protocols.load("natural-simclr"), CHANNELS), settings)
    train(settings, open_source(crops), views, tmp_path)
    ours = 256 / median(whole for _, whole in views.times[2:])
    print(
        f"\nSimCLR, ResNet-18, 64 px: fit {ours:.1f}, lightly {theirs:.1f} images/s: {ours / theirs:.2f} ×"
    )
    assert ours > theirs


@pytest.mark.bench
def test_ten_times_more_than_the_memory_limit(crops: Crops, tmp_path: Path) -> None:
    """Read ahead from the file, whose pages are dropped from memory before every epoch."""
    keep_freed_memory()
    settings = TrainingSettings(
        width=0.5, batch_size=256, epochs=2, samples_per_epoch=8 * 256, method="simclr"
    )
    views = views_of("bbbc021-expert")
    rates: dict[int, list[float]] = {}
    for turn in range(2):
        for limit in (22 * 10**6, 10**10):
            _forget_pages(Path(crops.path))
            folder = tmp_path / f"{turn}-{limit}"
            source = open_source(crops, memory_limit=limit)
            train(settings, source, views, folder)
            rows = pd.read_csv(folder / "metrics.csv")["images_per_second"]
            rates.setdefault(limit, []).extend(rows)
    disk, memory = (median(rates[limit]) for limit in sorted(rates))
    print(f"\nfrom disk {disk:.0f}, from memory {memory:.0f} images/s: {disk / memory:.2f}")
    assert disk / memory >= 0.8


def _forget_pages(path: Path) -> None:
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

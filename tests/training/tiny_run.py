"""A run of seconds with a small source and encoder; as a program, several that can be killed."""

import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cellssl import methods
from cellssl.encoders import Encoder
from cellssl.methods import Method
from cellssl.training import TrainingSettings, fit, seeded


class TinyEncoder(Encoder):
    """One convolution, norm, mean."""

    name, stem, width = "tiny", "imagenet", 1.0

    def __init__(self, *, features: int = 8) -> None:
        super().__init__()
        self.in_channels, self.feature_dim = 2, features
        self.convolution = nn.Conv2d(2, features, 3, bias=False)
        self.norm = nn.BatchNorm2d(features)

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(self.convolution(images)).relu().mean((2, 3))


class TinySource:
    """Blobs of several sizes and brightnesses, in memory."""

    channels = ("DNA", "Actin")
    size = 10
    in_memory = True

    def __init__(self, cells: int = 42) -> None:
        self.samples = torch.arange(cells)
        generator = torch.Generator().manual_seed(0)
        distance = (torch.arange(10) - 4.5).square()
        radius = torch.rand(cells, 2, 1, 1, generator=generator) * 20 + 2
        blobs = torch.exp(-(distance[:, None] + distance[None]) / radius)
        self.images = blobs * torch.rand(cells, 2, 1, 1, generator=generator)

    def __len__(self) -> int:
        return len(self.images)

    def gather(self, index: Tensor) -> Tensor:
        return self.images[index]

    def read(self, index: Tensor) -> Tensor:
        return self.images[index]

    def gather_masks(self, _: Tensor) -> None:
        return None

    def to(self, _: torch.device | str) -> "TinySource":
        return self


def tiny_views(images: Tensor, seed: int, epoch: int, samples: Tensor) -> tuple[Tensor, Tensor]:
    """Noise and flips that are a pure function of (seed, epoch, sample)."""
    made = []
    for view in range(2):
        number = (samples * 7919 + epoch * 104729 + seed * 1299709 + view * 15485863) % 1000
        noise = torch.sin(number[:, None, None, None] * torch.arange(1, 101).view(1, 1, 10, 10))
        made.append((images + 0.05 * noise).clamp(0, 1))
    return made[0], made[1].flip(3)


def tiny_settings(**changes: object) -> TrainingSettings:
    """Six epochs of five steps."""
    wanted = {
        "method": "simclr",
        "method_options": {"hidden": 16, "dim": 8},
        "encoder": "tiny",
        "epochs": 6,
        "batch_size": 8,
        "lr": 0.01,
    }
    return TrainingSettings.model_validate({**wanted, **changes})


def tiny_method(settings: TrainingSettings) -> Method:
    """Build from the seed."""
    with seeded(settings.seed):
        return methods.build(settings.method, TinyEncoder(), **settings.method_options)


def train(
    out: Path,
    settings: TrainingSettings,
    *,
    views: Callable[[Tensor, int, int, Tensor], tuple[Tensor, ...]] = tiny_views,
    source: TinySource | None = None,
    description: Mapping[str, Any] | None = None,
) -> Path:
    """Run it."""
    return fit(
        tiny_method(settings),
        source or TinySource(),
        views,
        settings,
        out,
        description={"channels": ["DNA", "Actin"]} if description is None else description,
        progress=False,
        device="cpu",
    )


def train_slowly(out: Path, method: str) -> None:
    """Train for about two seconds, saving at almost every step; messages go into a file beside the folder."""
    logging.basicConfig(level=logging.INFO, filename=out.with_suffix(".log"))
    options = {"hidden": 16, "dim": 8, **({"queue": 32} if method == "moco" else {})}

    def slow_views(images: Tensor, seed: int, epoch: int, samples: Tensor) -> tuple[Tensor, Tensor]:
        time.sleep(0.03)
        return tiny_views(images, seed, epoch, samples)

    settings = tiny_settings(
        method=method, method_options=options, epochs=12, checkpoint_minutes=0.001
    )
    train(out, settings, views=slow_views)


def forked(run: Callable[..., object], *arguments: object) -> int:
    """Run in a process of its own, which need not load torch: that takes longer than the run. Gives its number."""
    child = os.fork()
    if child:
        return child
    try:
        run(*arguments)
        os._exit(0)
    finally:  # of an error only
        traceback.print_exc()
        os._exit(1)


def main() -> None:
    """Start a run for every line FOLDER METHOD and tell its number; for a number, wait and tell how it ended."""
    torch.set_num_threads(1)
    for line in sys.stdin:
        folder, *method = line.split()
        if method:
            told = forked(train_slowly, Path(folder), *method)
        else:
            told = os.waitstatus_to_exitcode(os.waitpid(int(folder), 0)[1])
        sys.stdout.write(f"{told}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

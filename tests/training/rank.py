"""As a program: one process that trains alone, and two that train together. FOLDER FOLDER PORT METHOD..."""

import importlib.util
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cellssl import methods
from cellssl.encoders import BranchedEncoder, Encoder
from cellssl.methods import GroupedMethod
from cellssl.training import Labels, fit, seeded

_location = Path(__file__).with_name("tiny_run.py")
_specification = importlib.util.spec_from_file_location("tiny_run", _location)
tiny = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(tiny)

HEAD = {"hidden": 16, "dim": 8}
OPTIONS = {
    "simclr": HEAD,
    "moco": {**HEAD, "queue": 32, "symmetric": True},
    "byol": {**HEAD, "predictor_hidden": 16},
    "barlow_twins": HEAD,
    "vicreg": HEAD,
    "supervised": {"classes": 2},
}


class NormFreeEncoder(Encoder):
    """Two convolutions, mean: what a cell gives does not depend on the others of its batch."""

    name, stem, width = "tiny", "imagenet", 1.0

    def __init__(self) -> None:
        super().__init__()
        self.in_channels, self.feature_dim = 2, 8
        self.first, self.second = nn.Conv2d(2, 8, 3), nn.Conv2d(8, 8, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.second(self.first(images).relu()).relu().mean((2, 3))

    def split(self, _: int) -> tuple[nn.Sequential, nn.Sequential]:
        return nn.Sequential(self.first, nn.ReLU()), nn.Sequential(self.second, nn.ReLU())


def without_norms(module: nn.Module) -> None:
    """Take batch norms out of heads: on CPUs they cannot be synchronised."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm1d):
            setattr(module, name, nn.Identity())
        without_norms(child)


def twice(*arguments: object) -> tuple[Tensor, ...]:
    """Views of two groups."""
    first = tiny.tiny_views(*arguments)
    return (*first, *(view.flip(2) for view in first))


def train(out: Path, called: str, *, devices: int) -> None:
    """Twelve steps of two accumulated batches of eight, in float64."""
    name, groups, own = (*called.split(":"), "", "")[:3]
    settings = tiny.tiny_settings(
        method=name,
        method_options=OPTIONS[name],
        precision="64-true",
        optimizer="lars",
        accumulate=2,
        lr=0.5,
    )
    with seeded(0):
        encoder: Encoder = NormFreeEncoder()
        if own:
            networks: Any = {g: NormFreeEncoder() for g in groups}
            encoder = BranchedEncoder(networks, own_stages=1)
        heads = {
            g: methods.build(name, encoder.branch(g), **settings.method_options)
            for g in groups or "a"
        }
        method = GroupedMethod(encoder, heads) if groups else heads["a"]
    without_norms(method)
    fit(
        method,
        tiny.TinySource(),
        twice if groups else tiny.tiny_views,
        settings,
        out / called,
        labels=Labels.of("size", ["small", "large"] * 21),
        progress=False,
        device="cpu",
        devices=devices,
    )


def train_all(out: str, names: tuple[str, ...], *, devices: int, **environment: str) -> None:
    """Train one run after the other, as one of several processes if the environment says so."""
    os.environ.update(environment)
    for name in names:
        train(Path(out), name, devices=devices)


def main(one: str, two: str, port: str, *names: str) -> None:
    """Have one process train alone and two train together, and wait for them."""
    torch.set_num_threads(1)
    several = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo"}
    several |= {"WORLD_SIZE": "2", "NODE_RANK": "0"}
    runs = [partial(train_all, one, names, devices=1)]
    runs += [partial(train_all, two, names, devices=2, **several, LOCAL_RANK=rank) for rank in "01"]
    children = [tiny.forked(run) for run in runs]
    endings = [os.waitpid(child, 0)[1] for child in children]
    sys.exit(any(endings))


if __name__ == "__main__":
    main(*sys.argv[1:])

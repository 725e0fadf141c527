"""What several heads cost beside one protocol, and beside an encoder for each."""

import os
import time
from collections.abc import Sequence
from statistics import median

import pytest
import torch
from torch import Tensor

from cellssl.protocols import (
    Protocol,
    build_encoder,
    build_method,
    build_views,
    expand_groups,
    load,
    resolve,
)
from cellssl.training import seeded
from cellssl.training.memory import keep_freed_memory
from cellssl.training.optimizers import make_optimizer, set_learning_rate

CHANNELS = ("DAPI", "Tubulin", "Actin")
CELLS, BATCH, ROUNDS = 512, 64, 12


class Side:
    """Whole steps of one encoder: gather, views, loss, backward, optimiser, after-step."""

    def __init__(self, protocol: Protocol, images: Tensor) -> None:
        self.images, self.number = images, 0
        with seeded(0):
            self.method = build_method(protocol, build_encoder(protocol, 3)).train()
        self.method.begin(len(images), BATCH)
        self.views = build_views(protocol, CHANNELS)
        self.optimizer = make_optimizer(self.method, protocol.training)
        set_learning_rate(self.optimizer, protocol.training.lr)

    def step(self) -> float:
        """Make a step; gives its seconds."""
        began = time.perf_counter()
        samples = (torch.arange(BATCH) + self.number * BATCH) % len(self.images)
        made = self.views(self.images[samples], 0, 0, samples)
        self.method(*(v.contiguous(memory_format=torch.channels_last) for v in made)).backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.method.after_step(self.number, 1000)
        self.number += 1
        return time.perf_counter() - began


def alternate(sides: dict[str, Sequence[Side]]) -> dict[str, float]:
    """Median seconds of a step of each, taken in turn; of several encoders the sum."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, encoders in sides.items():
            times[name].append(sum(one.step() for one in encoders))
    return {name: median(some[2:]) for name, some in times.items()}


@pytest.mark.bench
@pytest.mark.parametrize("method", ["moco", "simclr"])
def test_cost_of_heads(method: str) -> None:
    keep_freed_memory()
    options = {"hidden": 512, "dim": 128, **({"queue": 512} if method == "moco" else {})}
    changes = {
        "training.method": method,
        "training.method_options": options,
        "training.batch_size": BATCH,
    }
    branches = resolve(load("bbbc021-two-heads"), changes)
    divided = resolve(branches, {"training.own_stages": 0})
    two = resolve(divided, {"training.divide_batch": False})
    each = expand_groups(two)
    images = torch.rand(CELLS, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    load_before = os.getloadavg()[0]
    seconds = alternate(
        {
            "one protocol": [Side(each["expert"], images)],
            "two heads": [Side(two, images)],
            "two heads, batch divided": [Side(divided, images)],
            "two heads, batch divided, own last stage": [Side(branches, images)],
            "two encoders": [Side(one, images) for one in each.values()],
        }
    )
    one = seconds["one protocol"]
    print(
        f"\n{method}, ResNet-18 width {two.training.width:g}, 64 px, batch {BATCH}; load {load_before:.1f}"
    )
    for name, value in seconds.items():
        print(
            f"{name:41} {BATCH / value:6.1f} cells/s  {value / one:.2f} × the time of one protocol"
        )
    # A head of its own for a few hundred features costs little beside the encoder: half of a batch for
    # each group is one batch's work, and nothing is saved or lost by sharing an encoder otherwise.
    assert seconds["two heads, batch divided"] < 1.3 * one
    assert seconds["two heads, batch divided, own last stage"] < 1.3 * one
    assert seconds["two heads"] < 1.15 * seconds["two encoders"]

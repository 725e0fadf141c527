"""Views a second beside torchvision and kornia, side by side in one run; peak memory.

Run on a quiet machine, with the `bench` extra: ``pytest tests/benchmarks -m bench -s``. Torch uses
all cores in all three.
"""

import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from cellssl.augment import View, make_keys

sys.path.insert(0, str(Path(__file__).parent))
import recipes

BATCH = 256
ROUNDS, CALLS = 5, 4
#: recipe, stored size, view size, peer, times faster that it must be
GOALS = [
    ("simclr", 96, 96, "torchvision", 6.0),
    ("simclr", 96, 96, "kornia", 3.5),
    ("simclr", 32, 32, "torchvision", 30.0),
    ("simclr", 32, 32, "kornia", 1.0),
    ("expert", 96, 64, "torchvision", 5.0),
    ("expert", 96, 64, "kornia", 1.0),
    ("expert", 64, 64, "torchvision", 5.0),
]


def seconds(run: Callable[[], object]) -> float:
    """Time a call, among several in a row: the first one still finds the other's memory."""
    began = time.perf_counter()
    for _ in range(CALLS):
        run()
    return (time.perf_counter() - began) / CALLS


def side_by_side(ours: Callable[[], object], theirs: Callable[[], object]) -> tuple[float, float]:
    """Take turns, so that a slow moment hits both; give the medians."""
    ours()
    theirs()
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(ROUNDS)]
    mine, other = np.median(np.array(pairs), axis=0)
    return float(mine), float(other)


@pytest.mark.bench
@pytest.mark.parametrize(("recipe", "stored", "size", "peer", "goal"), GOALS)
def test_views_a_second(recipe: str, stored: int, size: int, peer: str, goal: float) -> None:
    if importlib.util.find_spec(peer) is None:
        pytest.skip(f"{peer} is not installed; pip install 'cellssl[bench]'")
    images = torch.rand(BATCH, 3, stored, stored, generator=torch.Generator().manual_seed(0))
    some = images[:64] if peer == "torchvision" else images  # one by one: 64 are enough
    ours = getattr(recipes, recipe)(size)
    theirs = getattr(recipes, f"{recipe}_{peer}")(size)
    mine, other = side_by_side(lambda: ours(images), lambda: theirs(some))
    ratio = (other / len(some)) / (mine / BATCH)
    print(
        f"\n{recipe:7} {stored:3} → {size:2} px  cellssl {BATCH / mine:8,.0f} views/s"
        f"  {peer:11} {len(some) / other:7,.0f} views/s  {ratio:5.1f} × (goal {goal:g})"
    )
    assert ratio >= goal


@pytest.mark.bench
@pytest.mark.parametrize("recipe", ["simclr", "expert"])
def test_peak_memory_is_a_few_batches(recipe: str) -> None:
    # Counted by torch's own allocator hooks: what is allocated at once, the result included.
    size = 96
    images = torch.rand(BATCH, 3, size, size)
    view = View(getattr(recipes, f"{recipe}_operations")(), size)
    keys = make_keys(0, 0, torch.arange(BATCH))
    view(images, keys)
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        view(images, keys)
    held = peak = 0
    for event in sorted(profile.profiler.kineto_results.events(), key=lambda e: e.start_ns()):
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    batch = images.numel() * images.element_size()
    print(f"\n{recipe:7} peak memory beside the input: {peak / batch:.2f} batches")
    assert 1.0 <= peak / batch <= 3.0  # with the input at most four


@pytest.mark.bench
def test_share_of_a_training_step_on_a_gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device: what the views cost beside a ResNet-18 step is not measured")
    from cellssl import encoders

    device = torch.device("cuda")
    network = encoders.build("resnet18", 3).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    images = torch.rand(BATCH, 3, 96, 96, device=device)
    view = torch.compile(View(recipes.expert_operations(), 64))
    keys = make_keys(0, 0, torch.arange(BATCH, device=device))

    def make() -> torch.Tensor:
        made = [view(images, keys + number) for number in range(2)]
        torch.cuda.synchronize()
        return torch.cat(made)

    fixed = make().contiguous(memory_format=torch.channels_last)

    def step() -> None:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = network(fixed).float().square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        torch.cuda.synchronize()

    views, step_time = side_by_side(make, step)
    share = views / step_time
    print(f"\n{2 * BATCH / views:,.0f} views/s on the GPU, {share:.1%} of a ResNet-18 step")
    assert share <= 0.10

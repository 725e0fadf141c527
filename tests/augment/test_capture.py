"""A step that makes views never waits for the device, and compiles as one graph."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)

from cellssl.augment import Draws, Operation, Params, Pixel, View, Views

from .examples import MASKS, everything, keys, outlines, pictures


def views_without_values(operations: list[Operation]) -> tuple[Tensor, ...]:
    """Make all views of a step from tensors that have shapes but no values.

    .item(), `if tensor` and boolean indexing all fail on them.
    """
    with FakeTensorMode():
        view, small = (View(operations, size, masks=MASKS) for size in (16, 12))
        return Views(view, view, small)(
            torch.rand(4, 3, 24, 24),
            torch.tensor(0),
            torch.tensor(3),
            torch.arange(4),
            masks=torch.zeros(4, 2, 24, 24, dtype=torch.uint8),
            partners=torch.rand(4, 3, 24, 24),
            partner_masks=torch.zeros(4, 2, 24, 24, dtype=torch.uint8),
        )


def test_nothing_waits_for_the_device() -> None:
    views = views_without_values(everything(p=0.5))
    assert [view.shape[-1] for view in views] == [16, 16, 12]


class Planted(Pixel):
    """What the test above must find; without a name, no protocol does."""

    def sample(self, draws: Draws) -> Params:
        return {"share": draws.uniform(0, 0.0, 1.0)}


class Asking(Planted):
    def apply(self, images: Tensor, params: Params) -> Tensor:
        return images * params["share"].max().item()


class Branching(Planted):
    def apply(self, images: Tensor, params: Params) -> Tensor:
        return images if params["share"].max() > 0.5 else 1.0 - images


class Choosing(Planted):
    def apply(self, images: Tensor, params: Params) -> Tensor:
        return 1.0 - images[params["share"] > 0.5]


@pytest.mark.parametrize(
    ("planted", "error"),
    [
        (Asking, DataDependentOutputException),
        (Branching, DataDependentOutputException),
        (Choosing, DynamicOutputShapeException),
    ],
)
def test_what_waits_is_found(planted: type[Operation], error: type[Exception]) -> None:
    with pytest.raises(error):
        views_without_values([*everything(p=0.5), planted()])


def compiled(backend: str) -> tuple[Tensor, Tensor]:
    """Make one view eagerly and as one graph, of other samples than those it was compiled for."""
    view = View(everything(p=0.5), 16, masks=MASKS)
    images, masks = pictures(8), outlines(8)
    wanted = view(images, keys(8), masks=masks)

    def make_view(images: Tensor, keys: Tensor, masks: Tensor) -> Tensor:
        return view(images, keys, masks=masks)

    graph = torch.compile(make_view, backend=backend, fullgraph=True, dynamic=False)
    parts = (slice(0, 4), slice(4, 8))
    return wanted, torch.cat([graph(images[p], keys(8)[p], masks[p]) for p in parts])


def test_a_view_is_one_graph() -> None:
    wanted, got = compiled("aot_eager")
    assert torch.allclose(got, wanted, atol=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_view_compiled_to_other_code_is_the_same() -> None:
    wanted, got = compiled("inductor")
    # A count of photons or a grey value may fall to the other side of a rounding.
    assert ((got - wanted).abs() < 1e-4).double().mean() > 0.99


PROGRAM = """
import torch
from cellssl.augment import View, make_keys, operation_named
steps = [operation_named("rotate")(degrees=180.0), operation_named("read_noise")(sigma=(0.0, 0.1))]
made = View(steps, 8)(torch.full((3, 1, 8, 8), 0.5), make_keys(7, 2, torch.tensor([5, 1, 9])))
sums = made.double().sum(dim=(1, 2, 3)).tolist()
"""


def test_another_process_draws_the_same() -> None:
    # Nothing comes from Python's hash of a name, which differs from process to process.
    command = [sys.executable, "-c", f"{PROGRAM}print(sums)"]
    environment = {"PYTHONHASHSEED": "1"}
    told = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    here: dict[str, object] = {}
    exec(PROGRAM, here)
    assert told.stdout.strip() == str(here["sums"])

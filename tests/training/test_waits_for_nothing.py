"""A step never waits for the device, branches on a tensor, or makes shapes that depend on data.

Where there is no GPU this is proved with tensors that have a shape and a device, but no values: a
step that asks for a value fails. `torch.export` and `compile(fullgraph=True)` would accept `.item()`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cellssl import methods, protocols
from cellssl.crops import CropBatch, Crops, Scaling, fit_scaling, write_crops
from cellssl.datasets import CropSource
from cellssl.training import Labels, Partners, TrainingSettings, make_plan
from cellssl.training.classifier import OnlineClassifier
from cellssl.training.collapse import FeatureTap
from cellssl.training.optimizers import make_optimizer
from cellssl.training.step import Step
from cellssl.training.supply import make_supply

CELLS, BATCH = 32, 8
HEAD = {"hidden": 16, "dim": 8}
OPTIONS = {
    "simclr": HEAD,
    "moco": {**HEAD, "queue": 16, "symmetric": True},
    "byol": {**HEAD, "predictor_hidden": 16},
    "barlow_twins": HEAD,
    "vicreg": HEAD,
    "supervised": {"classes": 2},
}


class TransferError(Exception):
    """Something went from the host to the device, or back, in the middle of a step."""


class NoTransfers(TorchDispatchMode):
    """Refuses to copy anything between two devices: a copy from pageable memory waits."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        tensors = [t for t in tree_leaves((args, kwargs, result)) if isinstance(t, Tensor)]
        # A number on the host may meet a tensor on the device: it goes along with the launch.
        devices = {t.device.type for t in tensors if t.ndim or "copy" in str(func)}
        if len(devices) > 1:
            raise TransferError(str(func))
        return result


def require_copies(device: str) -> None:
    """Skip where this torch asks for a driver to move even what has no values: 2.8 does."""
    real = torch.zeros(1)
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):
            real.to(device)
    except RuntimeError as error:
        pytest.skip(f"torch {torch.__version__} copies nothing to a GPU that is not there: {error}")


def move(module: nn.Module, device: str) -> None:
    """Give a module weights without values on a device (`Module.to` cannot, without a GPU)."""
    for part in module.modules():
        for name, weight in part._parameters.items():
            if weight is not None:
                made = torch.empty_like(weight, device=device)
                part._parameters[name] = nn.Parameter(made, requires_grad=weight.requires_grad)
        for name, buffer in part._buffers.items():
            if buffer is not None:
                part._buffers[name] = torch.empty_like(buffer, device=device)


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Crops:
    """Cells of two wells, with masks."""
    random = np.random.default_rng(0)
    obs = pd.DataFrame(
        {
            "Metadata_Plate": "p",
            "Metadata_Well": np.repeat(["A01", "A02"], CELLS // 2),
            "Metadata_Site": "1",
        },
        index=[f"p/A0{1 + i // (CELLS // 2)}/1/{i}" for i in range(CELLS)],
    )
    images = random.integers(0, 65535, (CELLS, 3, 40, 40)).astype(np.uint16)
    masks = random.integers(0, 3, (CELLS, 1, 40, 40)).astype(np.uint8)
    path = tmp_path_factory.mktemp("crops") / "crops.h5ad"
    channels = ["DAPI", "Tubulin", "Actin"]
    batches = [CropBatch(images, masks, obs)]
    return Crops.open(write_crops(path, batches, channels=channels, size=40, provenance={}))


@contextmanager
def fake_step(
    crops: Crops,
    name: str,
    protocol: str,
    device: str,
    *,
    after: Callable[[Tensor], None] = lambda _: None,
    **settings: Any,
) -> Iterator[Step]:
    """Put a step together as `fit` does, from a shipped protocol; `after` sees each loss."""
    told = {"method": name, "method_options": OPTIONS[name], "width": 0.125}
    loaded = protocols.resolve(
        protocol, {"crop.size": 32, **{f"training.{key}": value for key, value in told.items()}}
    )
    source = CropSource(crops, fit_scaling(crops, Scaling(per="global")), masks=True)
    views = protocols.build_views(loaded, source.channels, crops.mask_names)
    chosen = TrainingSettings(
        method=name,
        method_options=OPTIONS[name],
        batch_size=BATCH,
        **settings,
    )
    method = protocols.build_method(loaded, protocols.build_encoder(loaded, 3))
    plan = make_plan(CELLS, chosen)
    method.begin(plan.samples, plan.cells)
    wells = source.obs["Metadata_Well"].to_numpy()
    classifier = OnlineClassifier(Labels.of("well", wells), method.networks[0].feature_dim)

    def backward(loss: Tensor) -> None:
        after(loss)
        if device == "cpu":  # autograd's engine wants a real GPU
            loss.backward()

    partners = None if method.labelled else Partners(wells)
    optimizer, old = make_optimizer(method, chosen), list(method.parameters())
    fabric: Any = SimpleNamespace(
        backward=backward, no_backward_sync=lambda *_, **__: nullcontext()
    )
    require_copies(device)
    with FakeTensorMode(allow_non_fake_inputs=True):
        move(method.train(), device)
        move(classifier, device)
        new = dict(zip(old, method.parameters(), strict=True))
        for group in optimizer.param_groups:
            group["params"] = [new[parameter] for parameter in group["params"]]
            group["lr"] = torch.zeros((), device=device)
        step = Step(
            fabric,
            method,
            optimizer,
            method=method,
            supply=make_supply(source.to(device), partners, plan, seed=0),
            views=views,
            taps=tuple(FeatureTap(network) for network in method.networks),
            classifier=classifier,
            codes=classifier.codes if method.labelled else None,
        )
        if device != "cpu":  # nor are there gradients
            step.optimizer = SimpleNamespace(step=lambda: None, zero_grad=lambda **_: None)
        given = step.supply.give(0)  # the first call ever lays down a bank of noise
        step.views(given.images, 0, 0, given.samples, **given.others)
        yield step


# No method knows the optimiser of its weights: every one of both is in some pair.
@pytest.mark.parametrize(
    ("name", "optimizer"),
    [*((name, "adamw") for name in methods.names()), ("simclr", "sgd"), ("moco", "lars")],
)
def test_a_whole_step(name: str, optimizer: str, crops: Crops) -> None:
    with fake_step(crops, name, "bbbc021-expert", "cpu", optimizer=optimizer, accumulate=2) as step:
        for number in range(2):
            step.turn_to(number, 0.1)
            assert step().shape == ()


@pytest.mark.parametrize(
    "protocol", ["bbbc021-expert", "bbbc021-two-heads", "natural-simclr", "natural-byol"]
)
@pytest.mark.parametrize("name", methods.names())
def test_nothing_goes_between_host_and_gpu(name: str, protocol: str, crops: Crops) -> None:
    # Gather, partners, masks, views, both passes, loss, classifier, moving averages and queue.
    with fake_step(crops, name, protocol, "cuda") as step, NoTransfers():
        loss = step()
    assert loss.device.type == "cuda"


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_labels_are_told_where_the_images_are(device: str, crops: Crops) -> None:
    with fake_step(crops, "supervised", "bbbc021-expert", device) as step, NoTransfers():
        loss = step()
    assert (loss.device.type, loss.shape) == (device, ())


@pytest.mark.parametrize(
    ("planted", "error"),
    [
        (lambda loss: loss.item(), DataDependentOutputException),
        (lambda loss: bool(loss > 0), DataDependentOutputException),
        (lambda loss: loss[None][loss[None] > 0], DynamicOutputShapeException),
        (lambda loss: loss * torch.tensor([1.0, 2.0], device=loss.device), TransferError),
        (lambda loss: loss.cpu(), TransferError),
    ],
    ids=["item", "branch", "mask", "constant", "read"],
)
def test_the_test_can_fail(planted: Callable, error: type[Exception], crops: Crops) -> None:
    with (
        fake_step(crops, "simclr", "bbbc021-expert", "cuda", after=planted) as step,
        NoTransfers(),
        pytest.raises(error),
    ):
        step()


@pytest.mark.parametrize("name", methods.names())
def test_the_method_of_one_s_own_is_held_to_it_too(
    name: str, crops: Crops, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = type(methods.build(name, protocols.build_encoder(protocols.load("bbbc021-expert"), 3)))
    whole = kind.after_step

    def peeking(self: Any, number: Tensor, total: int) -> None:
        whole(self, number, total)
        int(number)

    monkeypatch.setattr(kind, "after_step", peeking)
    with (
        fake_step(crops, name, "bbbc021-expert", "cpu") as step,
        pytest.raises(DataDependentOutputException),
    ):
        step()

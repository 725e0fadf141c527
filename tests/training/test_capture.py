"""A recorded step is the step: same losses, same weights. Needs an NVIDIA GPU, but for what falls back."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pandas as pd
import pytest
import torch

from cellssl import methods
from cellssl.training import fit, load_checkpoint, seeded
from cellssl.training.capture import CapturedStep
from cellssl.training.step import Step

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="a step is recorded on NVIDIA GPUs")
OPTIONS: dict[str, dict[str, Any]] = {
    "simclr": {},
    "moco": {"queue": 32, "symmetric": True},
    "byol": {"predictor_hidden": 16},
    "barlow_twins": {},
    "vicreg": {},
}
WARM = 3  # a recorded run makes as many steps before it records


def views(
    images: torch.Tensor, seed: int, epoch: int, samples: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise hashed from the sample, without copies from the host."""
    ramp = torch.arange(100, device=images.device).view(1, 1, 10, 10) + 1
    number = (samples * 7919 + epoch * 104729 + seed * 1299709) % 1000
    noise = torch.sin(number[:, None, None, None] * ramp)
    made = (images + 0.05 * noise).clamp(0, 1)
    return made, (images - 0.05 * noise).clamp(0, 1).flip(3)


def trained(
    tiny: ModuleType,
    out: Path,
    name: str,
    *,
    device: str,
    capture: bool,
    steps: int,
    **changes: Any,
) -> tuple[pd.Series, dict[str, torch.Tensor]]:
    """Losses and final weights of a run whose images lie on the device."""
    source = tiny.TinySource()
    source.samples, source.images = source.samples.to(device), source.images.to(device)
    settings = tiny.tiny_settings(
        method=name,
        method_options={"hidden": 16, "dim": 8, **OPTIONS[name]},
        epochs=steps // 5,
        capture=capture,
        **changes,
    )
    with seeded(0):
        method = methods.build(name, tiny.TinyEncoder(), **settings.method_options)
    fit(method, source, views, settings, out, progress=False, device=device)
    saved = load_checkpoint(out)
    return pd.read_csv(out / "metrics.csv")["loss"], saved["encoder_state"] | saved["method_state"]


@GPU
@pytest.mark.parametrize("name", methods.names())
@pytest.mark.parametrize(
    ("changes", "steps", "tolerance"),
    [
        # Step 4 is the first that is recorded; five steps keep rounding from growing.
        pytest.param({"precision": "32-true"}, 5, 1e-4, id="float32"),
        pytest.param({"precision": "64-true"}, 15, 1e-9, id="float64"),
        pytest.param({"precision": "64-true", "accumulate": 2}, 15, 1e-9, id="accumulated"),
        pytest.param({"precision": "64-true", "optimizer": "lars"}, 15, 1e-9, id="lars"),
    ],
)
def test_recorded_and_eager_steps_agree(
    tiny: ModuleType,
    name: str,
    changes: dict[str, Any],
    steps: int,
    tolerance: float,
    tmp_path: Path,
) -> None:
    recorded, eager = (
        trained(tiny, tmp_path / str(c), name, device="cuda", capture=c, steps=steps, **changes)
        for c in (True, False)
    )
    assert len(recorded[0]) > 0
    torch.testing.assert_close(
        torch.tensor(recorded[0]), torch.tensor(eager[0]), rtol=tolerance, atol=tolerance
    )
    for key, weight in eager[1].items():
        torch.testing.assert_close(recorded[1][key], weight, rtol=tolerance, atol=tolerance)


@GPU
@pytest.mark.parametrize("name", methods.names())
def test_a_step_is_recorded_under_autocast(
    tiny: ModuleType, name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "cellssl"):
        losses, _ = trained(
            tiny, tmp_path, name, device="cuda", capture=True, steps=10, precision="bf16-mixed"
        )
    assert losses.notna().all()
    assert "cannot be recorded" not in caplog.text


class StandInGraph:
    """Records by calling, replays by calling again: what a graph promises, without a GPU."""

    def __init__(self, step: "CountingStep") -> None:
        self.step = step

    def replay(self) -> None:
        self.step.loss.copy_(self.step.compute())


class CountingStep:
    """A step whose loss is the number of steps made."""

    def __init__(self, *, fails: bool = False) -> None:
        self.made, self.forgotten, self.fails = 0, 0, fails
        self.loss = torch.zeros(())

    def compute(self) -> torch.Tensor:
        self.made += 1
        return torch.tensor(float(self.made))

    def __call__(self) -> torch.Tensor:
        if self.fails and RECORDING:
            raise RuntimeError("operation not permitted when stream is capturing\nmore")
        return self.loss if RECORDING else self.compute()

    def forget(self) -> None:
        self.forgotten += 1


RECORDING: list[bool] = []


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[CountingStep]]:
    """PyTorch's graphs, replaced by something that a CPU can do."""
    current: list[CountingStep] = []

    class Made(CountingStep):
        def __init__(self, **options: bool) -> None:
            super().__init__(**options)
            current.append(self)

    @contextmanager
    def graph(*_: object, **__: object) -> Iterator[None]:
        RECORDING.append(True)
        try:
            yield
        finally:
            RECORDING.pop()

    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: StandInGraph(current[-1]))
    monkeypatch.setattr(torch.cuda, "graph", graph)
    monkeypatch.setattr(CapturedStep, "_warm", lambda self: self._step())
    yield Made
    assert not RECORDING


def test_every_step_is_made_once(stand_in: type[CountingStep]) -> None:
    made = CapturedStep(cast("Step", stand_in()))
    assert [made().item() for _ in range(WARM + 5)] == list(range(1, WARM + 6))


def test_what_cannot_be_recorded_goes_on_and_says_why_once(
    stand_in: type[CountingStep], caplog: pytest.LogCaptureFixture
) -> None:
    step = stand_in(fails=True)
    made = CapturedStep(cast("Step", step))
    with caplog.at_level(logging.WARNING, "cellssl"):
        losses = [made().item() for _ in range(WARM + 5)]
    assert losses == list(range(1, WARM + 6))
    assert step.forgotten == 1
    assert [r.getMessage() for r in caplog.records] == [
        "a step cannot be recorded as a CUDA graph (operation not permitted when stream is "
        "capturing): slower without"
    ]

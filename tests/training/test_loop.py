"""fit: learns, keeps its books, stops clearly."""

import errno
import json
import logging
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor

from cellssl import methods
from cellssl.encoders import BranchedEncoder, build
from cellssl.errors import CellsslError, TrainingError
from cellssl.files import locked
from cellssl.methods import GroupedMethod
from cellssl.training import (
    Labels,
    Partners,
    fit,
    learning_rate,
    load_checkpoint,
    make_plan,
    run,
    seeded,
)
from cellssl.training.loop import _check_division
from cellssl.training.metrics import MetricsFile


def read_metrics(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "metrics.csv")


def weights_of(folder: Path) -> dict[str, Tensor]:
    checkpoint = load_checkpoint(folder)
    return checkpoint["encoder_state"] | checkpoint["method_state"]


def same_weights(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@pytest.fixture
def every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every epoch saved, however short."""
    monkeypatch.setattr(run, "_SHARE", 0)


@pytest.mark.parametrize("method", methods.names())
def test_the_loss_falls_and_the_books_are_complete(
    method: str, tiny: ModuleType, tmp_path: Path
) -> None:
    settings = tiny.tiny_settings(method=method, epochs=20, method_options={"hidden": 16, "dim": 8})
    folder = tiny.train(tmp_path / "run", settings)
    metrics = read_metrics(folder)
    assert metrics["epoch"].tolist() == list(range(1, 21))
    assert metrics["step"].tolist() == list(range(5, 105, 5))
    assert metrics["loss"].tail(5).mean() < 0.95 * metrics["loss"].head(2).mean()
    plan = make_plan(42, settings)
    rates = [learning_rate(step - 1, plan, peak=0.01) for step in metrics["step"]]
    assert metrics["lr"].tolist() == pytest.approx(rates)
    assert metrics["seconds"].is_monotonic_increasing
    images = metrics["images_per_second"] * metrics["seconds"].diff()
    assert images[1:].tolist() == pytest.approx([2 * 5 * 8] * 19, rel=1e-4)
    empty = metrics.columns[metrics.isna().all()].tolist()
    # One-way MoCo's encoder sees one view only; nobody has given labels.
    assert empty == ["alignment"] * (method == "moco") + ["online_accuracy"]
    assert metrics.drop(columns=empty).notna().all().all()
    assert {p.name for p in folder.iterdir()} == {
        ".lock",
        "checkpoint.pt",
        "metrics.csv",
        "environment.json",
    }
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["device"] == "cpu"
    assert environment["packages"]["torch"] == torch.__version__.split("+")[0]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "lars"])
@pytest.mark.parametrize("precision", ["32-true", "64-true", "bf16-mixed"])
def test_optimisers_and_precisions(
    optimizer: str, precision: str, tiny: ModuleType, tmp_path: Path
) -> None:
    settings = tiny.tiny_settings(epochs=2, optimizer=optimizer, precision=precision)
    weights = weights_of(tiny.train(tmp_path, settings))
    wanted = torch.float64 if precision == "64-true" else torch.float32
    assert weights["convolution.weight"].dtype == wanted


def test_the_seed_decides_everything(tiny: ModuleType, tmp_path: Path) -> None:
    runs = [
        weights_of(tiny.train(tmp_path / name, tiny.tiny_settings(epochs=2, seed=seed)))
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert same_weights(runs[0], runs[1])
    assert not same_weights(runs[0], runs[2])


def test_rows_within_long_epochs(tiny: ModuleType, tmp_path: Path) -> None:
    folder = tiny.train(tmp_path, tiny.tiny_settings(epochs=1), source=tiny.TinySource(cells=960))
    metrics = read_metrics(folder)
    assert metrics["step"].tolist() == [50, 100, 120]
    assert metrics["feature_std"].isna().tolist() == [True, True, False]


def test_a_finished_run_returns_at_once(
    tiny: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def forbidden(*_: object) -> tuple[Tensor, Tensor]:
        raise AssertionError

    settings = tiny.tiny_settings(epochs=1)
    tiny.train(tmp_path, settings)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with caplog.at_level(logging.INFO):
        tiny.train(tmp_path, settings.model_copy(update={"checkpoint_minutes": 9}), views=forbidden)
    assert "finished already" in caplog.text
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_another_run_in_the_folder(tiny: ModuleType, tmp_path: Path) -> None:
    tiny.train(tmp_path, tiny.tiny_settings(epochs=1))
    with pytest.raises(
        TrainingError,
        match=r"another run \(finished, step 5\)\. settings.epochs: 1 there, 2 now; settings.lr: "
        r"0.01 there, 0.02 now\. Choose another folder.*cannot be prolonged",
    ):
        tiny.train(tmp_path, tiny.tiny_settings(epochs=2, lr=0.02))
    with pytest.raises(TrainingError, match=r"data.cells: 42 there, 50 now; data.fingerprint"):
        tiny.train(tmp_path, tiny.tiny_settings(epochs=1), source=tiny.TinySource(cells=50))


def test_other_pixels_or_partners_under_the_same_names_are_another_run(
    tiny: ModuleType, tmp_path: Path
) -> None:
    settings, source, other = tiny.tiny_settings(epochs=1), tiny.TinySource(), tiny.TinySource()
    other.images = other.images.flip(0)

    def train(source: Any, wells: int) -> Path:
        partners = Partners(torch.arange(42).remainder(wells).numpy())
        method = tiny.tiny_method(settings)
        return fit(method, source, views, settings, tmp_path, partners=partners, progress=False)

    def views(images: Tensor, *about: Any, partners: Tensor) -> tuple[Tensor, Tensor]:
        return tiny.tiny_views(images, *about)[0], tiny.tiny_views(partners, *about)[1]

    train(source, 7)
    with pytest.raises(
        TrainingError, match=r"step 5\)\. data.pixels: '\w+' there, '\w+' now\. Choose"
    ):
        train(other, 7)
    with pytest.raises(
        TrainingError, match=r"step 5\)\. data.partners: '\w+' there, '\w+' now\. Ch"
    ):
        train(source, 6)
    checkpoint = load_checkpoint(tmp_path)
    for name in ("pixels", "partners"):  # as a run of before they were written down
        del checkpoint["data"][name]
    del checkpoint["settings"]["own_stages"]
    torch.save(checkpoint, tmp_path / "checkpoint.pt")
    assert train(other, 6) == tmp_path


def test_a_run_goes_on_with_all_that_describes_it(tiny: ModuleType, tmp_path: Path) -> None:
    def train(**description: object) -> Path:
        return tiny.train(tmp_path, tiny.tiny_settings(epochs=1), description=description)

    train(channels=["DNA", "Actin"], crop_size=8)
    with pytest.raises(TrainingError, match=r"step 5\)\. crop_size: 8 there, nothing now\. Choose"):
        train(channels=["DNA", "Actin"])
    train(crop_size=8, channels=["DNA", "Actin"])


def test_wording_may_change_and_a_setting_is_told_once(tiny: ModuleType, tmp_path: Path) -> None:
    def train(lr: float, because: str, minutes: float) -> Path:
        settings = tiny.tiny_settings(epochs=1, lr=lr, checkpoint_minutes=minutes)
        protocol = {"training": settings.model_dump(mode="json"), "views": [{"because": because}]}
        return tiny.train(tmp_path, settings, description={"protocol": protocol})

    train(0.01, "cells lie as they fell", 5)
    train(0.01, "a cell has no preferred orientation", 9)
    with pytest.raises(TrainingError, match=r"step 5\). settings.lr: 0.01 there, 0.02 now. Choose"):
        train(0.02, "", 5)


def test_a_method_that_is_not_what_the_settings_say(tiny: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match=r"encoder: the method was built with 'tiny', .*'vgg13'"
    ):
        tiny.train(tmp_path, tiny.tiny_settings(encoder="vgg13"))


class CrashError(Exception):
    """Ends a run from within, as a crash would."""


def stopping_views(tiny: ModuleType, step: int) -> object:
    """Views that crash at a step (from 1) of this part of the run."""
    calls = iter(range(1, 1000))

    def views(*arguments: object) -> tuple[Tensor, Tensor]:
        if next(calls) == step:
            raise CrashError
        return tiny.tiny_views(*arguments)

    return views


@pytest.mark.parametrize("method", methods.names())
@pytest.mark.parametrize("minutes", [5, 1e-9])
def test_resume_is_exact(method: str, minutes: float, tiny: ModuleType, tmp_path: Path) -> None:
    # With 1e-9 minutes every step is saved; with 5 a run goes back to the end of the last epoch.
    options = {"hidden": 16, "dim": 8}
    settings = tiny.tiny_settings(method=method, method_options=options, checkpoint_minutes=minutes)
    whole = tiny.train(tmp_path / "whole", settings)
    for step in (3, 9, 6):
        with pytest.raises(CrashError):
            tiny.train(tmp_path / "parts", settings, views=stopping_views(tiny, step))
    parts = tiny.train(tmp_path / "parts", settings)
    assert same_weights(weights_of(whole), weights_of(parts))
    times = ["seconds", "images_per_second"]
    pd.testing.assert_frame_equal(
        read_metrics(whole).drop(columns=times), read_metrics(parts).drop(columns=times)
    )
    assert read_metrics(parts)["seconds"].is_monotonic_increasing


def test_an_encoder_with_branches_is_watched_and_goes_on(
    tiny: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told: dict[str, Any] = {"encoder": "resnet18", "width": 0.125, "own_stages": 1}
    options = {"hidden": 16, "dim": 8, "queue": 16, "symmetric": True}

    def train(out: Path, crash: int = 0, *, spoilt: float = 1, **changes: float) -> Path:
        crashing = stopping_views(tiny, crash)
        settings = tiny.tiny_settings(
            method="moco", method_options=options, epochs=2, **told, **changes
        )
        with seeded(0):
            encoder = build("resnet18", 2, width=0.125, own_stages=1, branches=("a", "b"))
            assert isinstance(encoder, BranchedEncoder)
            for weight in encoder.own["b"].parameters():
                weight.data *= spoilt
            heads = {g: methods.build("moco", encoder.branch(g), **options) for g in encoder.own}
        return fit(
            GroupedMethod(encoder, heads),
            tiny.TinySource(),
            lambda *a: (*(first := crashing(*a)), *(view.flip(2) for view in first)),
            settings,
            out,
            labels=Labels.of("size", ["small", "large"] * 21),
            progress=False,
            device="cpu",
        )

    whole = train(tmp_path / "whole")
    with pytest.raises(CrashError):
        train(tmp_path / "parts", crash=7)
    parts = train(tmp_path / "parts")
    assert same_weights(weights_of(whole), weights_of(parts))
    last = read_metrics(parts).iloc[-1]
    assert last[["feature_std", "effective_rank", "alignment", "online_accuracy"]].notna().all()
    assert "collapsed" not in caplog.text
    train(tmp_path / "spoilt", spoilt=0, lr=1e-12)
    assert caplog.text.count("collapsed after epoch 2") == 1


def test_half_a_line_of_metrics_is_forgotten(tiny: ModuleType, tmp_path: Path) -> None:
    settings = tiny.tiny_settings()
    with pytest.raises(CrashError):
        tiny.train(tmp_path, settings, views=stopping_views(tiny, 13))
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("3,15,2.5,0.01,9,9,0.5,3\n4,20,2.")
    tiny.train(tmp_path, settings)
    metrics = read_metrics(tmp_path)
    assert metrics["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
    assert 2.5 not in metrics["loss"].tolist()


def test_rows_stay_where_a_killed_process_was_about_to_trim_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("step,loss\n5,1\n10,2\n")

    def killed(*_: object, **__: object) -> None:
        raise CrashError

    monkeypatch.setattr("csv.writer", killed)
    with pytest.raises(CrashError):
        MetricsFile(path, step=5, columns=["step", "loss"])
    assert path.read_text() == "step,loss\n5,1\n10,2\n"
    monkeypatch.undo()
    MetricsFile(path, step=5, columns=["step", "loss"])
    assert path.read_text() == "step,loss\n5,1\n"


@pytest.mark.usefixtures("every_epoch")
def test_a_loss_that_is_no_number_names_the_step_and_keeps_the_last_good(
    tiny: ModuleType, tmp_path: Path
) -> None:
    calls = iter(range(1, 100))

    def spoilt(images: Tensor, *rest: object) -> tuple[Tensor, Tensor]:
        factor = float("nan") if next(calls) >= 13 else 1.0
        return tiny.tiny_views(images * factor, *rest)

    with pytest.raises(
        TrainingError, match=r"loss became nan at step 13 \(epoch 3\).*checkpoint.pt is from before"
    ):
        tiny.train(tmp_path, tiny.tiny_settings(), views=spoilt)
    assert load_checkpoint(tmp_path)["step"] == 10
    assert all(torch.isfinite(value).all() for value in weights_of(tmp_path).values())


def test_spoilt_weights_are_not_saved(tiny: ModuleType, tmp_path: Path) -> None:
    # A loss can be finite while the update that it causes is not.
    settings = tiny.tiny_settings(epochs=2)
    method = tiny.tiny_method(settings)
    method.after_step = lambda *_: method.projector[0].bias.data.fill_(float("inf"))
    with pytest.raises(TrainingError, match=r"weight is no longer a finite number|loss became"):
        fit(method, tiny.TinySource(), tiny.tiny_views, settings, tmp_path, device="cpu")
    assert not (tmp_path / "checkpoint.pt").exists()


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file grow beyond `size` bytes: the nearest to a full disk that needs no rights."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_short_epochs_do_not_wait_for_their_checkpoints(
    tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    save, now = run.save_checkpoint, 0.0

    def slow(file: Path, checkpoint: dict[str, Any]) -> None:
        nonlocal now
        now += 1.0  # seconds
        written.append(checkpoint["step"])
        save(file, checkpoint)

    def views(*arguments: object) -> tuple[Tensor, ...]:
        nonlocal now
        now += 2.0  # an epoch of five steps takes ten
        return tiny.tiny_views(*arguments)

    monkeypatch.setattr(run, "save_checkpoint", slow)
    monkeypatch.setattr(run.time, "perf_counter", lambda: now)
    tiny.train(tmp_path, tiny.tiny_settings(epochs=13), views=views)
    assert written == [5, 30, 55, 65]  # at least fifty seconds apart, but for the last


@pytest.mark.usefixtures("every_epoch")
def test_a_full_disk_keeps_the_last_good_checkpoint(tiny: ModuleType, tmp_path: Path) -> None:
    settings = tiny.tiny_settings()
    whole = tiny.train(tmp_path / "whole", settings)
    folder = tmp_path / "run"
    with pytest.raises(CrashError):
        tiny.train(folder, settings, views=stopping_views(tiny, 12))
    with (
        largest_file(4000),
        pytest.raises(
            TrainingError, match=rf"cannot write .*{os.strerror(errno.EFBIG)}; .*last good.*again"
        ),
    ):
        tiny.train(folder, settings)
    assert load_checkpoint(folder)["step"] == 10
    assert [p.name for p in folder.iterdir() if p.name.startswith(".")] == [".lock"]
    assert same_weights(weights_of(whole), weights_of(tiny.train(folder, settings)))


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (signal.SIGTERM, TrainingError),
        (signal.SIGINT, KeyboardInterrupt),
        (signal.SIGUSR1, TrainingError),
    ],
)
def test_asked_to_stop_it_saves_and_leaves(
    number: signal.Signals, error: type[BaseException], tiny: ModuleType, tmp_path: Path
) -> None:
    calls = iter(range(1, 100))

    def views(*arguments: object) -> tuple[Tensor, Tensor]:
        if next(calls) == 8:
            os.kill(os.getpid(), number)
        return tiny.tiny_views(*arguments)

    handlers = [signal.getsignal(one) for one in signal.Signals]
    settings = tiny.tiny_settings()
    with pytest.raises(
        error, match=f"stopped by {number.name} and saved at step 8; the same com"
    ) as stop:
        tiny.train(tmp_path / "run", settings, views=views)
    assert getattr(stop.value, "number", signal.SIGINT) == number
    assert handlers == [signal.getsignal(one) for one in signal.Signals]
    assert load_checkpoint(tmp_path / "run")["step"] == 8
    whole = weights_of(tiny.train(tmp_path / "whole", settings))
    assert same_weights(whole, weights_of(tiny.train(tmp_path / "run", settings)))


def test_averages_follow_once_for_every_update_of_the_weights(
    tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    after = methods.BYOL.after_step

    def listen(method: methods.BYOL, step: Tensor, total: int) -> None:
        told.append((int(step), total))
        after(method, step, total)

    monkeypatch.setattr(methods.BYOL, "after_step", listen)
    tiny.train(tmp_path, tiny.tiny_settings(method="byol", epochs=2, accumulate=2))
    assert told == [(step, 4) for step in range(4)]


def test_gradients_of_accumulated_batches_are_averaged(
    tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loss(method: methods.SimCLR, view1: Tensor, _: Tensor) -> Tensor:  # its gradient is 1
        return torch.stack([p.sum() for p in method.parameters()]).sum() + 0 * view1.sum()

    monkeypatch.setattr(methods.SimCLR, "loss", loss)
    one, two = (
        weights_of(
            tiny.train(
                tmp_path / str(parts),
                tiny.tiny_settings(
                    epochs=1, optimizer="sgd", batch_size=42 // parts, accumulate=parts
                ),
            )
        )
        for parts in (1, 2)
    )
    for name in one:
        torch.testing.assert_close(one[name], two[name])


def test_asked_to_stop_while_the_last_checkpoint_is_written(
    tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = run.save_checkpoint

    def asked(file: Path, checkpoint: dict[str, Any]) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        save(file, checkpoint)

    monkeypatch.setattr(run, "save_checkpoint", asked)
    with pytest.raises(KeyboardInterrupt, match="saved at step 5; this training is finished"):
        tiny.train(tmp_path, tiny.tiny_settings(epochs=1))
    assert load_checkpoint(tmp_path)["finished"]


def test_a_collapsed_encoder_is_told(
    tiny: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def alike(images: Tensor, *_: object) -> tuple[Tensor, Tensor]:
        return torch.full_like(images, 0.5), torch.full_like(images, 0.5)

    tiny.train(tmp_path, tiny.tiny_settings(epochs=1), views=alike)
    assert "the encoder has collapsed after epoch 1" in caplog.text


def test_unknown_device(tiny: ModuleType, tmp_path: Path) -> None:
    settings = tiny.tiny_settings()
    for device in ("tpu9", "cuda:99"):
        with pytest.raises(
            TrainingError, match=f"no device '{device}'|cannot train on device '{device}'"
        ):
            fit(
                tiny.tiny_method(settings),
                tiny.TinySource(),
                tiny.tiny_views,
                settings,
                tmp_path,
                device=device,
            )


def test_two_processes_do_not_train_into_one_folder(tiny: ModuleType, tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(CellsslError, match="another process is working on"):
        tiny.train(tmp_path, tiny.tiny_settings(epochs=1))


def test_a_divided_batch_stays_on_one_device(tiny: ModuleType) -> None:
    plan = make_plan(42, tiny.tiny_settings())
    _check_division(plan, 1, divided=True)
    _check_division(plan, 2, divided=False)
    with pytest.raises(TrainingError, match="one device, or set divide_batch"):
        _check_division(plan, 2, divided=True)

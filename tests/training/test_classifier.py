"""The classifier beside the training: counts, learns, tests; the encoder never hears of it."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cellssl.errors import TrainingError
from cellssl.training import Labels, Partners, fit, load_checkpoint
from cellssl.training.classifier import OnlineClassifier


def make(values: list[str], features: int = 3) -> OnlineClassifier:
    classifier = OnlineClassifier(Labels.of("kind", values), features)
    classifier.set_rate(1.0)
    return classifier


def test_a_step_is_one_of_momentum_sgd_on_the_cross_entropy() -> None:
    torch.manual_seed(0)
    values = ["a", "b", "", "c", "a"]
    classifier, layer = make(values), nn.Linear(3, 3)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)
    codes = torch.tensor([0, 1, -1, 2, 0])
    for _ in range(4):
        features, index = torch.randn(5, 3), torch.tensor([4, 0, 2, 1, 3])
        classifier.learn(features, index)
        optimizer.zero_grad()
        functional.cross_entropy(layer(features), codes[index], ignore_index=-1).backward()
        optimizer.step()
    torch.testing.assert_close(classifier.weight[:, :3], layer.weight.detach())
    torch.testing.assert_close(classifier.weight[:, 3], layer.bias.detach())


def test_predicts_before_it_learns_and_leaves_out_the_unlabelled() -> None:
    classifier = make(["a", "b", ""])
    classifier.learn(torch.tensor([[5.0, 0, 0], [0, 5.0, 0], [9.0, 9, 9]]), torch.arange(3))
    # All scores were zero: everything went to the first class.
    assert classifier.table.tolist() == [[1, 0], [1, 0]]
    classifier.restart()
    classifier.learn(torch.tensor([[5.0, 0, 0], [0, 5.0, 0], [9.0, 9, 9]]), torch.arange(3))
    assert classifier.table.tolist() == [[1, 0], [0, 1]]


def test_features_without_gradient_only() -> None:
    features = torch.randn(2, 3, requires_grad=True)
    classifier = make(["a", "b"])
    classifier.learn(features, torch.arange(2))
    assert not classifier.weight.requires_grad
    assert not classifier.momentum.requires_grad


def test_labels_of_one_kind() -> None:
    with pytest.raises(TrainingError, match="kind has 1 class among the images: wanted two"):
        Labels.of("kind", ["a", "a", ""])


def large_or_small(source: object) -> np.ndarray:
    """Whether a blob's first channel is bright, which the tiny encoder can see."""
    bright = source.images[:, 0].mean((1, 2))  # type: ignore[attr-defined]
    return np.where(bright > bright.median(), "bright", "dark")


def run(
    tiny: ModuleType, out: Path, *, labels: Labels | None, views: object = None, **changes: object
) -> Path:
    settings = tiny.tiny_settings(**{"epochs": 8, **changes})
    return fit(
        tiny.tiny_method(settings),
        tiny.TinySource(),
        views or tiny.tiny_views,  # type: ignore[arg-type]
        settings,
        out,
        labels=labels,
        device="cpu",
        progress=False,
    )


def with_held(tiny: ModuleType) -> Labels:
    source, held = tiny.TinySource(), tiny.TinySource(cells=64)
    return Labels.of("light", large_or_small(source), held=held, held_values=large_or_small(held))


def test_the_encoder_is_the_same_with_and_without(tiny: ModuleType, tmp_path: Path) -> None:
    one = load_checkpoint(run(tiny, tmp_path / "without", labels=None))["encoder_state"]
    other = load_checkpoint(run(tiny, tmp_path / "with", labels=with_held(tiny)))["encoder_state"]
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_tables_are_tidy_and_agree(tiny: ModuleType, tmp_path: Path) -> None:
    folder = run(tiny, tmp_path, labels=with_held(tiny))
    accuracies = pd.read_csv(folder / "online_accuracy.csv")
    metrics = pd.read_csv(folder / "metrics.csv")
    views = accuracies[accuracies["part"] == "training views"]
    assert views.groupby("epoch").size().tolist() == [2] * 8
    pd.testing.assert_series_equal(
        views.groupby("epoch")["accuracy"].mean(),
        metrics.set_index("epoch")["online_accuracy"],
        check_names=False,
    )
    assert views.groupby("epoch")["n"].sum().tolist() == [5 * 8] * 8
    tidy = pd.read_csv(folder / "online_confusion.csv")
    assert tidy["part"].unique().tolist() == ["training views", "held out"]
    held = tidy[tidy["part"] == "held out"].pivot_table(
        index="true", columns="predicted", values="count"
    )
    assert held.to_numpy().sum() == 64
    wanted = np.diag(held.to_numpy()) / held.to_numpy().sum(axis=1)
    written = accuracies[accuracies["part"] == "held out"]
    assert written["accuracy"].to_numpy() == pytest.approx(wanted)
    assert written["accuracy"].mean() > 0.6


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed"])
def test_held_images_are_tested_in_the_encoders_number_format(
    precision: str, tiny: ModuleType, tmp_path: Path
) -> None:
    folder = run(tiny, tmp_path, labels=with_held(tiny), precision=precision, epochs=1)
    tidy = pd.read_csv(folder / "online_confusion.csv")
    assert tidy.groupby("part")["count"].sum().to_dict() == {"held out": 64, "training views": 40}


def test_an_interrupted_run_counts_the_same(tiny: ModuleType, tmp_path: Path) -> None:
    class CrashError(Exception):
        pass

    calls = iter(range(1, 1000))

    def crashing(*arguments: Tensor) -> tuple[Tensor, Tensor]:
        if next(calls) == 18:
            raise CrashError
        return tiny.tiny_views(*arguments)

    whole = run(tiny, tmp_path / "whole", labels=with_held(tiny))
    with pytest.raises(CrashError):
        run(tiny, tmp_path / "parts", labels=with_held(tiny), views=crashing)
    parts = run(tiny, tmp_path / "parts", labels=with_held(tiny))
    for name in ("online_accuracy.csv", "online_confusion.csv"):
        assert (whole / name).read_text() == (parts / name).read_text()


def test_a_method_is_told_labels_whatever_stopped_it(tiny: ModuleType, tmp_path: Path) -> None:
    settings = tiny.tiny_settings(
        method="supervised", method_options={"classes": 2}, epochs=30, batch_size=16
    )
    source = tiny.TinySource()
    labels = Labels.of("light", np.where(np.arange(42) < 6, "", large_or_small(source)))

    def told(name: str, views: object = tiny.tiny_views, **changed: object) -> Path:
        given = {"labels": labels, "device": "cpu", "progress": False, **changed}
        method = tiny.tiny_method(settings)
        return fit(method, source, views, settings, tmp_path / name, **given)  # type: ignore[arg-type]

    calls = iter(range(100))

    def crashing(*arguments: Tensor) -> tuple[Tensor, Tensor]:
        if next(calls) == 40:
            raise RuntimeError
        return tiny.tiny_views(*arguments)

    whole = load_checkpoint(told("whole"))
    with pytest.raises(RuntimeError):
        told("parts", crashing)
    parts = load_checkpoint(told("parts"))
    state = whole["encoder_state"] | whole["method_state"]
    again = parts["encoder_state"] | parts["method_state"]
    assert all(torch.equal(state[name], again[name]) for name in state)
    losses = pd.read_csv(tmp_path / "whole" / "metrics.csv")["loss"]
    assert losses.tail(3).mean() < 0.6 * losses.head(3).mean()
    with pytest.raises(TrainingError, match="learns what the images show: it needs labels"):
        told("none", labels=None)
    with pytest.raises(TrainingError, match="every view must show the image itself"):
        told("none", partners=Partners(np.zeros(42)))
    assert not (tmp_path / "none").exists()


def test_held_images_are_shown_as_the_encoder_sees_them(tiny: ModuleType) -> None:
    class Larger(tiny.TinySource):
        size = 14

        def gather(self, index: Tensor) -> Tensor:
            return functional.pad(super().gather(index), (2, 2, 2, 2), value=9.0)

    source, held = tiny.TinySource(), Larger()
    values = large_or_small(source)
    classifier, tables = None, []
    for images, size in ((source, None), (held, 10)):
        labels = Labels.of("light", values, held=images, held_values=values, size=size)
        classifier = OnlineClassifier(labels, 8)
        torch.manual_seed(0)
        classifier.weight.normal_()
        encoder = tiny.tiny_method(tiny.tiny_settings()).encoder
        tables.append(classifier.test(encoder, images, labels.held_codes))
    assert torch.equal(*tables)


def test_classes_that_were_never_trained_on_are_told(caplog: pytest.LogCaptureFixture) -> None:
    labels = Labels.of("kind", ["a", "b"], held=object(), held_values=["a", "z"])  # type: ignore[arg-type]
    assert labels.held_codes is not None
    assert labels.held_codes.tolist() == [0, -1]
    assert "never trained on (z)" in caplog.text

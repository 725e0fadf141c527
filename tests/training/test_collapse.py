"""Is it collapsed?"""

import math
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import torch

from cellssl import methods
from cellssl.augment import View, Views
from cellssl.methods import GroupedMethod
from cellssl.training import alignment, effective_rank, feature_std, fit, seeded, uniformity
from cellssl.training.collapse import FeatureTap, Spread, warn_if_collapsed


def test_spread_features() -> None:
    features = torch.randn(4096, 16, generator=torch.Generator().manual_seed(0))
    assert feature_std(features).item() == pytest.approx(1, abs=0.02)
    assert feature_std(100 * features).item() == pytest.approx(1, abs=0.02)
    assert effective_rank(features).item() == pytest.approx(16, abs=0.2)


def test_features_on_a_line() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(64, 1, generator=generator) * torch.randn(1, 16, generator=generator)
    assert effective_rank(features).item() == pytest.approx(1, abs=0.01)


def test_the_same_features_for_all(caplog: pytest.LogCaptureFixture) -> None:
    features = torch.rand(1, 16).expand(32, 16)
    std, rank = feature_std(features).item(), effective_rank(features).item()
    assert std < 1e-6
    assert rank <= 2
    assert warn_if_collapsed(Spread(std, rank), epoch=3)
    assert "collapsed after epoch 3" in caplog.text
    assert not warn_if_collapsed(Spread(0.5, 20.0), epoch=3)


def test_alignment_and_uniformity_worked_by_hand() -> None:
    # Wang & Isola: two cells at right angles lie √2 apart; exp(−2 · 2) is their only pair.
    one, other = 2 * torch.eye(2), torch.eye(2)
    assert alignment(one, other).item() == pytest.approx(0)
    assert alignment(one, other.flip(0)).item() == pytest.approx(2)
    assert uniformity(one).item() == pytest.approx(-4)
    assert uniformity(torch.ones(5, 3)).item() == pytest.approx(0)


def test_uniformity_of_an_even_sphere_falls_with_spread() -> None:
    features = torch.randn(512, 32, generator=torch.Generator().manual_seed(0))
    assert uniformity(features).item() < -3.5
    assert uniformity(features + 5).item() > uniformity(features).item() + 1


def test_the_tap_keeps_the_passes_of_a_batch_and_comes_off() -> None:
    layer = torch.nn.Linear(3, 4)
    tap = FeatureTap(layer)
    layer(torch.rand(8, 3))
    tap.clear()
    first, second = layer(torch.rand(8, 3)), layer(torch.rand(8, 3))
    tap.remove()
    layer(torch.rand(8, 3))
    got = tap.read(8, 16)
    assert got.feature_std == pytest.approx(feature_std(second).item(), rel=1e-9)
    assert got.effective_rank == pytest.approx(effective_rank(second).item(), rel=1e-6)
    assert got.alignment == pytest.approx(alignment(first, second).item(), rel=1e-9)
    assert got.uniformity == pytest.approx(uniformity(first).item(), rel=1e-9)


def test_both_views_in_one_pass_and_one_view_alone() -> None:
    layer = torch.nn.Linear(3, 4)
    tap = FeatureTap(layer)
    both = layer(torch.rand(16, 3))
    assert tap.read(8, 16).alignment == pytest.approx(alignment(*both.chunk(2)).item(), rel=1e-9)
    assert math.isnan(tap.read(16, 32).alignment)
    assert not math.isnan(tap.read(16, 32).uniformity)


def test_two_cells_on_a_line_are_no_collapse() -> None:
    layer = torch.nn.Linear(3, 4)
    tap = FeatureTap(layer)
    layer(torch.tensor([[1.0, 0, 0], [0, 1, 0]]))
    got = tap.read(2, 4)
    assert got.feature_std > 0.1
    assert not warn_if_collapsed(got, epoch=1)


@pytest.mark.parametrize("symmetric", [False, True])
def test_groups_of_views_are_no_pair_of_views(
    symmetric: bool, tiny: ModuleType, tmp_path: Path
) -> None:
    # The groups see other cells: one-way MoCo's encoder sees half of each, and no pair.
    options = {"hidden": 16, "dim": 8, "queue": 16, "symmetric": symmetric}
    settings = tiny.tiny_settings(method="moco", method_options=options, epochs=1)
    with seeded(0):
        encoder = tiny.TinyEncoder()
        heads = {name: methods.build("moco", encoder, **options) for name in ("one", "other")}
    views = Views(*[View([], 10)] * 4, groups=2, divide=True)
    method = GroupedMethod(encoder, heads, divide=True)
    fit(method, tiny.TinySource(), views, settings, tmp_path, device="cpu", progress=False)
    [told] = pd.read_csv(tmp_path / "metrics.csv")["alignment"]
    assert told == pytest.approx(0 if symmetric else math.nan, abs=1e-9, nan_ok=True)


def test_passes_of_evaluation_are_not_kept() -> None:
    layer = torch.nn.Linear(3, 4).eval()
    tap = FeatureTap(layer)
    layer(torch.rand(8, 3))
    assert math.isnan(tap.read(8, 16).feature_std)

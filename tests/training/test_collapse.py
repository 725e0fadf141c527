"""Is it collapsed?"""

import pytest
import torch

from cellssl.training import effective_rank, feature_std
from cellssl.training.collapse import FeatureTap, warn_if_collapsed


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
    assert warn_if_collapsed(std, rank, epoch=3)
    assert "collapsed after epoch 3" in caplog.text
    assert not warn_if_collapsed(0.5, 20.0, epoch=3)


def test_the_tap_sees_the_last_pass_and_comes_off() -> None:
    layer = torch.nn.Linear(3, 4)
    tap = FeatureTap(layer)
    layer(torch.rand(8, 3))
    wanted = layer(torch.rand(8, 3))
    tap.remove()
    layer(torch.rand(8, 3))
    wanted_numbers = feature_std(wanted).item(), effective_rank(wanted).item()
    assert tap.read() == pytest.approx(wanted_numbers, rel=1e-9)

"""The nine statistics per channel against NumPy."""

import numpy as np
import torch

from cellssl.embedding import IntensityStatistics, intensity_names, ranked


def test_nine_statistics_per_channel() -> None:
    images = torch.rand(3, 2, 11, 11)
    features = IntensityStatistics()(images).numpy().reshape(3, 2, 9)
    pixels = images.numpy().reshape(3, 2, -1).astype(np.float64)
    percentiles = np.percentile(pixels, [1, 10, 25, 75, 90, 99], axis=2).transpose(1, 2, 0)
    np.testing.assert_allclose(features[..., 0], pixels.mean(2), rtol=1e-5)
    np.testing.assert_allclose(features[..., 1], pixels.std(2), rtol=1e-5)
    np.testing.assert_allclose(features[..., 2:8], percentiles, rtol=1e-5)
    np.testing.assert_allclose(features[..., 8], (pixels > 0.3).mean(2), rtol=1e-5)


def test_three_channels_give_twenty_seven() -> None:
    names = intensity_names(["DAPI", "Tubulin", "Actin"])
    assert len(names) == len(set(names)) == 27
    assert names[0] == "DAPI_mean"
    assert names[-1] == "Actin_share_above_0.3"
    assert IntensityStatistics()(torch.rand(1, 3, 8, 8)).shape == (1, 27)


def test_one_pixel_is_enough() -> None:
    features = IntensityStatistics()(torch.full((1, 1, 1, 1), 0.5))
    assert features.tolist() == [[0.5, 0.0, *[0.5] * 6, 1.0]]


def test_values_are_ranked_as_torch_does() -> None:
    values = torch.randn(4, 3, 50, generator=torch.Generator().manual_seed(0))[:, :, ::2]
    assert torch.equal(ranked(values), values.sort(dim=-1).values)

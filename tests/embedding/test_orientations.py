"""Features of a cell that is turned, mirrored, or both."""

import numpy as np
import pytest
import torch
from torch import nn

from cellssl.crops import CropBatch, Crops, write_crops
from cellssl.embedding import OrientationMean, embed
from cellssl.errors import EmbeddingError


def turned(crops: Crops, path, *, mirror: bool) -> Crops:
    """The same cells, each by a quarter turn, or mirrored."""
    images = crops.read(np.arange(len(crops)))
    images = images[..., ::-1] if mirror else np.rot90(images, axes=(-2, -1))
    batch = CropBatch(images=np.ascontiguousarray(images), masks=None, obs=crops.obs)
    size, channels = crops.size, crops.channels
    return Crops.open(write_crops(path, [batch], channels=channels, size=size, provenance={}))


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("orientations", [1, 4, 8])
def test_how_a_cell_lies_no_longer_counts(crops, run_folder, tmp_path, orientations, mirror):
    other = turned(crops, tmp_path / "turned.h5ad", mirror=mirror)
    one, two = (embed(c, run_folder, orientations=orientations).X for c in (crops, other))
    apart = np.abs(one - two).max() / np.abs(one).max()
    assert (apart < 1e-5) == (orientations == 8 or (orientations == 4 and not mirror))
    assert apart < 1e-5 or apart > 1e-3


def test_features_are_the_mean_of_eight_explicit_ones():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(5))
    images = torch.rand(4, 2, 7, 7)
    with torch.inference_mode():
        network(images)
        transposed = images.transpose(-2, -1)
        seen = [
            one.flip(axes) for one in (images, transposed) for axes in ([], [-1], [-2], [-2, -1])
        ]
        expected = sum(network(one) for one in seen) / 8
        assert torch.allclose(OrientationMean(network, 8)(images), expected, atol=1e-6)
        assert torch.equal(OrientationMean(network, 1)(images), network(images))


@pytest.mark.parametrize("orientations", [0, 2, 16, True, 8.0])
def test_other_numbers_are_refused_before_the_work(crops, tmp_path, orientations):
    with pytest.raises(EmbeddingError, match=rf"got {orientations}, wanted 1 .*4 .*or 8"):
        embed(crops, "random", tmp_path / "new" / "e.h5ad", orientations=orientations)
    assert not (tmp_path / "new").exists()


def test_every_embedding_says_what_it_is(crops, run_folder):
    said = [
        embed(crops, model, orientations=n).uns["cellssl"]["orientations"]
        for model in (run_folder, "random", "intensity-features")
        for n in (1, 4)
    ]
    assert said == [1, 4, 1, 4, "any", "any"]


def test_statistics_are_the_same_however_a_cell_lies(crops):
    plain, mean = (embed(crops, "simple-features", orientations=n) for n in (1, 8))
    np.testing.assert_array_equal(plain.X, mean.X)

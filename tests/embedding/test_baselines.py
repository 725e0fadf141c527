"""What stands beside a trained encoder."""

from collections.abc import Callable
from pathlib import Path

import anndata as ad
import numpy as np
import pytest
import torch
import torchvision
from typer.testing import CliRunner

from cellssl.cli.application import app
from cellssl.crops import Crops, Scaling, fit_scaling, scale
from cellssl.embedding import IntensityStatistics, baseline_names, embed, is_baseline
from cellssl.errors import CropError


def test_names_are_told_from_paths() -> None:
    assert all(is_baseline(name) for name in baseline_names())
    assert is_baseline("random:vgg13_bn")
    assert not is_baseline("runs/expert")
    assert not is_baseline(Path("random"))


def test_intensity_features_are_the_statistics_alone(crops: Crops) -> None:
    rule = Scaling(per="global", transform="sqrt")
    embedding = embed(crops, "intensity-features", scaling=rule, crop_size=20)
    low, high = fit_scaling(crops, rule).bounds(crops)
    images = scale(crops.read(), low, high, transform="sqrt")[:, :, 2:22, 2:22]
    expected = IntensityStatistics()(torch.from_numpy(images)).numpy()
    assert embedding.shape == (60, 18)
    np.testing.assert_allclose(embedding.X, expected, rtol=1e-5, atol=1e-6)
    assert list(embedding.var_names[:2]) == ["DNA_mean", "DNA_sd"]
    assert embedding.uns["cellssl"]["checkpoint_sha256"] == ""


def test_simple_features_add_the_nucleus_where_it_is_known(
    crops: Crops, new_crops: Callable[..., Crops]
) -> None:
    embedding = embed(crops, "simple-features")
    assert embedding.var_names[-1] == "Nucleus_Area"
    np.testing.assert_array_equal(embedding.X[:, -1], np.arange(60) + 100)
    assert embed(new_crops(area=False), "simple-features").n_vars == 18


def test_random_is_seeded_and_leaves_the_generator_alone(crops: Crops) -> None:
    before = torch.get_rng_state()
    one, again, other = (embed(crops, "random", width=0.25, seed=s) for s in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    np.testing.assert_array_equal(one.X, again.X)
    assert not np.allclose(one.X, other.X)
    assert (one.uns["cellssl"]["seed"], other.uns["cellssl"]["seed"]) == (0, 1)
    assert (one.n_vars, embed(crops, "random").n_vars) == (128, 256)


def test_another_random_network_by_name(crops: Crops, new_crops: Callable[..., Crops]) -> None:
    embedding = embed(new_crops(size=40, cells=6), "random:vgg13_bn", width=0.125)
    assert embedding.uns["cellssl"]["encoder"]["name"] == "vgg13_bn"
    assert embedding.shape == (6, 64)


def test_pretrained_keeps_channels_apart(crops: Crops, tmp_path: Path) -> None:
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), tmp_path / "w.pth")
    embedding = embed(crops, "resnet18", weights=tmp_path / "w.pth", size=32, sample=6)
    assert embedding.shape == (6, 1024)
    assert embedding.var_names[512] == "Actin_feature_0"
    about = embedding.uns["cellssl"]["encoder"]
    assert (about["mapping"], about["size"], about["weights"]) == ("per-channel", 32, "w.pth")
    inflated = embed(
        crops, "resnet18", weights=tmp_path / "w.pth", size=32, sample=6, mapping="inflate"
    )
    assert inflated.shape == (6, 512)


def test_a_baseline_takes_the_channels_it_is_given(crops: Crops) -> None:
    one = embed(crops, "intensity-features", channels=["Actin"])
    both = embed(crops, "intensity-features")
    np.testing.assert_array_equal(one.X, both.X[:, 9:])
    with pytest.raises(CropError, match=r"asked for channel 'Actim'.*did you mean 'Actin'"):
        embed(crops, "intensity-features", channels=["Actim"])


def test_a_baseline_cannot_see_more_than_is_stored(crops: Crops) -> None:
    with pytest.raises(CropError, match="stores 24"):
        embed(crops, "random", crop_size=64)


def test_the_command_shows_cells_to_baselines_as_a_protocol_does(
    crops: Crops, run_folder: Path, tmp_path: Path
) -> None:
    file, out = tmp_path / "mine.yaml", tmp_path / "e.h5ad"
    file.write_text(
        "name: mine\nchannels: [Actin]\ncrop: {size: 16, scaling: {per: global, transform: sqrt}}\n"
        "views: [[flip: {}]]\ntraining: {method: simclr, encoder: resnet18, epochs: 1}\n"
    )
    command = ["embed", str(crops.path), "-p", str(file), "-o", str(out), "-m"]
    result = CliRunner().invoke(app, [*command, "intensity-features"])
    assert result.exit_code == 0, result.output
    rule = Scaling(per="global", transform="sqrt")
    expected = embed(crops, "intensity-features", channels="Actin", crop_size=16, scaling=rule)
    np.testing.assert_array_equal(ad.read_h5ad(out).X, expected.X)
    both = CliRunner().invoke(app, [*command, "intensity-features", "-m", str(run_folder)])
    assert both.exit_code == 0, both.output  # which brings its own
    refused = CliRunner().invoke(app, [*command, str(run_folder)])
    assert "--model names none" in " ".join(refused.output.split())

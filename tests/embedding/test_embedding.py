"""Encoders and baselines over crops: numbers, provenance, files, errors."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch

from cellssl.crops import Crops, Scaling, fit_scaling, scale
from cellssl.embedding import embed
from cellssl.encoders import build, rebuild
from cellssl.errors import CellsslError, CropError, EmbeddingError, ModelError, TrainingError


def _expected(crops: Crops, run_folder: Path, rule: Scaling) -> np.ndarray:
    """What the checkpoint's encoder gives, step by step."""
    saved = torch.load(run_folder / "checkpoint.pt", weights_only=True)
    low, high = fit_scaling(crops, rule).bounds(crops)
    images = scale(crops.read(), low, high, transform=rule.transform)[:, :, 4:20, 4:20]
    encoder = rebuild(saved["encoder"])
    encoder.load_state_dict(saved["encoder_state"])
    with torch.inference_mode():
        return encoder.eval()(torch.from_numpy(images)).numpy()


def test_a_trained_encoder_sees_scaled_centre_crops(crops: Crops, run_folder: Path) -> None:
    embedding = embed(crops, run_folder, batch_size=7)
    assert embedding.X.dtype == np.float32
    np.testing.assert_allclose(
        embedding.X, _expected(crops, run_folder, Scaling()), rtol=1e-4, atol=1e-5
    )
    pd.testing.assert_frame_equal(embedding.obs, crops.obs)


def test_provenance_says_what_the_features_come_from(crops: Crops, run_folder: Path) -> None:
    about = embed(crops, run_folder).uns["cellssl"]
    assert about["name"] == "run"
    assert about["model"] == str(run_folder)
    assert about["encoder"]["name"] == "resnet18"
    assert (about["protocol"], about["epochs"]) == ("expert", 3)
    assert (about["positives"], about["weak"]) == ("same_cell", False)
    assert about["crop_size"] == 16
    assert list(about["channels"]) == ["DNA", "Actin"]
    assert about["scaling"]["per"] == "plate"
    assert set(json.loads(about["scaling_bounds"])["low"]) == {"P1", "P2"}
    assert len(about["checkpoint_sha256"]) == 64
    assert "sample" not in about


def test_a_checkpoint_is_a_model_too(crops: Crops, run_folder: Path) -> None:
    file = run_folder / "checkpoint.pt"
    np.testing.assert_array_equal(embed(crops, file).X, embed(crops, str(run_folder)).X)


def test_the_same_call_writes_the_same_bytes(
    crops: Crops, run_folder: Path, tmp_path: Path
) -> None:
    for name in ("one.h5ad", "two.h5ad"):
        embed(crops.path, run_folder, tmp_path / name)
    assert (tmp_path / "one.h5ad").read_bytes() == (tmp_path / "two.h5ad").read_bytes()


def test_what_is_written_is_what_is_returned(
    crops: Crops, run_folder: Path, tmp_path: Path
) -> None:
    given = embed(crops, run_folder, tmp_path / "new" / "e.h5ad", name="mine", sample=9)
    read = ad.read_h5ad(tmp_path / "new" / "e.h5ad")
    np.testing.assert_array_equal(read.X, given.X)
    assert list(read.obs_names) == list(given.obs_names)
    pd.testing.assert_frame_equal(read.obs, given.obs)
    assert read.uns["cellssl"]["name"] == "mine"
    assert read.uns["cellssl"]["sample"]["cells"] == 9


def test_batches_do_not_matter(crops: Crops, run_folder: Path) -> None:
    one, two = (embed(crops, run_folder, batch_size=n).X for n in (60, 1))
    np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)


def test_channels_are_found_by_name(
    run_folder: Path, crops: Crops, new_crops: Callable[..., Crops]
) -> None:
    swapped = new_crops(channels=("Actin", "Tubulin", "DNA"))
    embedding = embed(swapped, run_folder)
    low, high = fit_scaling(swapped, Scaling()).bounds(swapped)
    images = scale(swapped.read(), low, high, transform="linear")[:, [2, 0], 4:20, 4:20]
    saved = torch.load(run_folder / "checkpoint.pt", weights_only=True)
    encoder = rebuild(saved["encoder"])
    encoder.load_state_dict(saved["encoder_state"])
    with torch.inference_mode():
        expected = encoder.eval()(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(embedding.X, expected, rtol=1e-4, atol=1e-5)


def test_per_plate_scaling_follows_a_new_plate(
    run_folder: Path, crops: Crops, new_crops: Callable[..., Crops]
) -> None:
    brighter = embed(new_crops(gain=4.0), run_folder)
    np.testing.assert_allclose(brighter.X, embed(crops, run_folder).X, rtol=0.1, atol=0.05)


def test_global_scaling_keeps_its_numbers_on_a_new_plate(
    new_run: Callable[..., Path], crops: Crops, new_crops: Callable[..., Crops]
) -> None:
    run = new_run(rule=Scaling(per="global"))
    before, after = embed(crops, run), embed(new_crops(gain=4.0), run)
    bounds = [json.loads(e.uns["cellssl"]["scaling_bounds"]) for e in (before, after)]
    assert bounds[0] == bounds[1]
    assert not np.allclose(before.X, after.X, rtol=0.1)


def test_treatment_positives_are_marked_weak(new_run: Callable[..., Path], crops: Crops) -> None:
    assert embed(crops, new_run(positives="same_treatment")).uns["cellssl"]["weak"]


@pytest.mark.parametrize("positives", ["same_well", "same_treatment on another plate"])
def test_positives_of_other_cells_are_weak(
    new_run: Callable[..., Path], crops: Crops, positives: str
) -> None:
    assert embed(crops, new_run(positives=positives)).uns["cellssl"]["weak"]


@pytest.mark.parametrize(
    "given",
    [
        {"weights": "w.pth"},
        {"mapping": "mean"},
        {"size": 96},
        {"width": 0.5},
        {"channels": ["DNA"]},
        {"crop_size": 16},
        {"scaling": Scaling()},
    ],
)
def test_a_trained_encoder_brings_its_own(
    crops: Crops, run_folder: Path, given: dict[str, object]
) -> None:
    with pytest.raises(EmbeddingError, match=f"brings its own {next(iter(given))}"):
        embed(crops, run_folder, **given)


@pytest.mark.parametrize(
    ("model", "given", "message"),
    [
        ("random", {"weights": "w.pth", "size": 96}, "network takes no weights, size"),
        ("random:vgg13_bn", {"mapping": "mean"}, "network takes no mapping"),
        ("simple-features", {"size": 96}, "statistics take no size"),
        ("simple-features", {"scaling": {"per": "global"}}, r"wanted a cellssl\.crops\.Scaling"),
        ("intensity-features", {"width": 0.5}, "statistics take no width"),
        ("resnet18", {"width": 0.5}, "pretrained network takes no width"),
    ],
)
def test_a_baseline_refuses_what_it_would_ignore(
    crops: Crops, model: str, given: dict[str, object], message: str
) -> None:
    with pytest.raises(EmbeddingError, match=message):
        embed(crops, model, **given)


def test_an_unfinished_training_is_told(
    new_run: Callable[..., Path], crops: Crops, caplog: pytest.LogCaptureFixture
) -> None:
    embed(crops, new_run(finished=False))
    assert "not finished (epoch 3)" in caplog.text


def test_missing_channel_names_the_nearest(
    run_folder: Path, new_crops: Callable[..., Crops]
) -> None:
    with pytest.raises(CropError, match=r"channel 'DNA'.*did you mean 'dna'.*crops join`"):
        embed(new_crops(channels=("dna", "Actin")), run_folder)


def test_crops_smaller_than_the_view_are_refused(
    new_run: Callable[..., Path], crops: Crops
) -> None:
    with pytest.raises(CropError, match=r"crops of 32 pixels.*stores 24.*--size 32"):
        embed(crops, new_run(crop_size=32))


def test_a_checkpoint_of_another_network_is_refused(
    new_run: Callable[..., Path], crops: Crops
) -> None:
    other = build("resnet18", 2, width=0.25).state_dict()
    with pytest.raises(ModelError, match="of another shape"):
        embed(crops, new_run(encoder_state=other))


def test_a_pickle_is_refused(crops: Crops, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(pickle.dumps({"encoder": Path()}))
    with pytest.raises(ModelError, match="pickle"):
        embed(crops, tmp_path / "checkpoint.pt")


def test_an_unknown_model_is_told_the_names(crops: Crops) -> None:
    with pytest.raises(ModelError, match="did you mean 'resnet101'"):
        embed(crops, "resnet110")
    with pytest.raises(ModelError, match="no encoder is called 'vgg99'"):
        embed(crops, "random:vgg99")


def test_broken_weights_are_told(new_run: Callable[..., Path], crops: Crops) -> None:
    state = build("resnet18", 2, width=0.125).state_dict()
    state["layer4.1.bn2.weight"][:] = float("nan")
    with pytest.raises(ModelError, match="not finite"):
        embed(crops, new_run(encoder_state=state))


def test_an_unknown_device_is_told(crops: Crops) -> None:
    with pytest.raises(TrainingError, match=r"no device .abacus.; there are auto, cpu, cuda, mps"):
        embed(crops, "intensity-features", device="abacus")


def test_interruption_leaves_no_file(
    crops: Crops, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "out"
    monkeypatch.setattr(ad.AnnData, "write_h5ad", interrupt)
    with pytest.raises(KeyboardInterrupt):
        embed(crops, run_folder, out / "e.h5ad")
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("name", ["e.csv", "folder.h5ad"])
def test_only_h5ad_files_are_written(crops: Crops, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.h5ad").mkdir()
    with pytest.raises(EmbeddingError, match=r"written to a \.h5ad file"):
        embed(crops, "random", tmp_path / name)


def test_the_crop_file_is_never_overwritten(crops: Crops) -> None:
    with pytest.raises(EmbeddingError, match="the crop file itself"):
        embed(crops, "random", crops.path)


def test_a_checkpoint_of_other_images_is_refused(crops: Crops, run_folder: Path) -> None:
    file = run_folder / "checkpoint.pt"
    saved = torch.load(file, weights_only=True)
    del saved["channels"], saved["scaling"]
    torch.save(saved, file)
    with pytest.raises(ModelError, match="lacks channels, scaling"):
        embed(crops, file)


def test_a_folder_that_cannot_be_made_is_told_before_the_work(crops: Crops, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CellsslError, match="file is a file, but a folder is wanted"):
        embed(crops, "random", tmp_path / "file" / "e.h5ad")


@pytest.mark.parametrize(
    ("trained", "told"), [({"nucleus": 24.0}, True), ({"nucleus": 11.0}, False), ({}, False)]
)
def test_cells_of_another_magnification_are_told(new_crops, new_run, caplog, trained, told) -> None:
    """Nuclei of 130 pixels are 12.9 px across."""
    run = new_run(**trained)
    kept = embed(new_crops(), run).uns["cellssl"].get("warnings", [])
    assert (f"other.h5ad, and 24 px where {run}" in caplog.text) is told
    assert [text in caplog.messages for text in kept] == [True] * told  # for the report's reader
    assert ("nuclei are usually 13 px across in" in caplog.text) is told


def test_cells_whose_areas_are_not_known_are_embedded_as_ever(new_crops, new_run, caplog) -> None:
    unknown = new_crops(area=False)
    assert unknown.nucleus == 0
    embed(unknown, new_run(nucleus=24.0))
    assert "magnification" not in caplog.text

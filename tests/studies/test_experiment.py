import datetime
import json
import os
import re
import shutil
import subprocess
import sys

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import cellssl
from cellssl.crops import CropBatch, Crops, write_crops
from cellssl.errors import CellsslError, EmbeddingError, ModelError, ProtocolError, TrainingError
from cellssl.files import locked, safe_name
from cellssl.training import load_checkpoint

TINY = {
    "training.epochs": 1,
    "training.width": 0.125,
    "training.batch_size": 16,
    "crop.size": 16,
    "crop.scaling.per": "global",
}
CHANNELS = ("DAPI", "Tubulin", "Actin")
COMBINED = {
    "both": ["bbbc021-expert", "natural-moco"],
    "expert beside statistics": ["bbbc021-expert", "simple-features"],
    "lacking": ["natural-moco", "resnet18"],
}


def written(folder, images, masks, obs, channels=CHANNELS):
    """A crop file of these cells."""
    batch = CropBatch(images, masks, obs)
    path = folder / "crops.h5ad"
    return write_crops(path, [batch], channels=channels, size=24, provenance={})


def _train(crops, out, **changes):
    return cellssl.train(crops, "bbbc021-expert", out, changes={**TINY, **changes}, progress=False)


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    """96 cells of two plates; those of one class are brighter in the last channel."""
    rng = np.random.default_rng(0)
    images = rng.integers(100, 2000, size=(96, 3, 24, 24), dtype=np.uint16)
    kind = np.arange(96) % 2
    images[kind == 1, 2] += 3000
    well = [f"{'AB'[i % 2]}{1 + i // 24:02}" for i in range(96)]
    plate = np.where(np.arange(96) < 48, "P1", "P2")
    obs = pd.DataFrame(
        {
            "Metadata_Plate": plate,
            "Metadata_Well": well,
            "Metadata_Site": "1",
            "Metadata_MOA": np.where(kind, "bright", "DMSO"),
            "Metadata_Control": np.where(kind, "", "negative"),
            "Metadata_Label": np.arange(96),
        },
        index=[f"{p}/{w}/1/{i}" for i, (p, w) in enumerate(zip(plate, well, strict=True))],
    )
    return written(tmp_path_factory.mktemp("crops"), images, None, obs)


@pytest.fixture(scope="module")
def comparison(crops, tmp_path_factory):
    return _compare(crops, tmp_path_factory.mktemp("comparison"))


def _compare(crops, out, **options):
    usual = {
        "baselines": {"simple-features": None, "random": None, "resnet18": out / "absent.pth"},
        "combine": COMBINED,
        "seeds": 2,
        "changes": TINY,
        "progress": False,
    }
    return cellssl.compare(crops, ["bbbc021-expert", "natural-moco"], out, **{**usual, **options})


def test_trains_a_run_that_says_what_it_was(crops, tmp_path):
    run = _train(crops, tmp_path / "run")
    names = {path.name for path in run.iterdir()}
    assert {"protocol.yaml", "checkpoint.pt", "metrics.csv", "environment.json"} <= names
    checkpoint = load_checkpoint(run)
    assert checkpoint["finished"]
    assert checkpoint["channels"] == list(CHANNELS)
    assert checkpoint["protocol_name"] == "bbbc021-expert"
    assert cellssl.embed(crops, run, progress=False).shape == (96, 64)


@pytest.fixture(scope="module")
def split_crops(crops, tmp_path_factory):
    """The same cells, every third of them in the test set."""
    opened = Crops.open(crops)
    obs = opened.obs.assign(Metadata_Split=np.where(np.arange(96) % 3 == 0, "test", "train"))
    return written(tmp_path_factory.mktemp("split"), opened.read(), None, obs)


def test_a_test_set_is_not_trained_on_but_tested(split_crops, tmp_path, caplog):
    with caplog.at_level("INFO"):
        run = cellssl.train(
            split_crops,
            "bbbc021-expert",
            tmp_path / "run",
            changes=TINY,
            label="moa",
            device="cpu",
            progress=False,
        )
    assert "32 images of the test or validation set are not trained on" in caplog.text
    checkpoint = load_checkpoint(run)
    assert checkpoint["data"]["cells"] == 64
    assert checkpoint["label"] == "Metadata_MOA"
    table = pd.read_csv(run / "online_accuracy.csv")
    assert table.groupby("part")["n"].sum().to_dict() == {"held out": 32, "training views": 64}
    assert set(table["class"]) == {"DMSO", "bright"}


def test_nothing_but_a_test_set(split_crops, tmp_path):
    opened = Crops.open(split_crops)
    rows = np.arange(0, 96, 3)
    path = written(tmp_path, opened.read(rows), None, opened.obs.iloc[rows])
    with pytest.raises(ProtocolError, match="all 32 images are of a test or validation set"):
        _train(path, tmp_path / "run")


def test_two_devices_from_the_command_line(crops, tmp_path):
    command = [sys.executable, "-m", "cellssl", "train", str(crops), "-p", "bbbc021-expert"]
    command += ["-o", str(tmp_path / "run"), "--device", "cpu", "--devices", "2"]
    for key, value in TINY.items():
        command += ["--set", f"{key}={value}"]
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("written to") == 1
    assert json.loads((tmp_path / "run" / "environment.json").read_text())["devices"] == 2
    assert load_checkpoint(tmp_path / "run")["finished"]


def test_the_channels_are_taken_by_name(crops, tmp_path):
    changes = {**TINY, "channels": ["Actin", "DAPI"]}
    run = cellssl.train(crops, "natural-moco", tmp_path / "run", changes=changes, progress=False)
    assert load_checkpoint(run)["channels"] == ["Actin", "DAPI"]


def test_another_protocol_does_not_overwrite_a_run(crops, tmp_path):
    run = _train(crops, tmp_path / "run")
    said = (run / "protocol.yaml").read_text()
    with pytest.raises(TrainingError, match="seed"):
        _train(crops, run, **{"training.seed": 5})
    assert (run / "protocol.yaml").read_text() == said


def test_a_protocol_is_not_written_where_another_process_trains(crops, tmp_path):
    with locked(tmp_path), pytest.raises(CellsslError, match="another process is working on"):
        _train(crops, tmp_path)
    assert not (tmp_path / "protocol.yaml").exists()


def test_a_channel_that_the_crops_lack_is_refused(crops, tmp_path):
    with pytest.raises(ProtocolError, match="GFP"):
        cellssl.train(crops, "translocation-expert", tmp_path / "run", changes=TINY, progress=False)


def test_an_encoder_of_other_channels_is_refused(crops, tmp_path):
    run = cellssl.train(crops, "natural-moco", tmp_path / "run", changes=TINY, progress=False)
    cells = Crops.open(crops)
    other = written(tmp_path, cells.read(), None, cells.obs, channels=["DNA", "ER", "AGP"])
    with pytest.raises(cellssl.errors.CellsslError, match="DAPI"):
        cellssl.embed(other, run, progress=False)


def test_compares_protocols_and_baselines_on_the_same_cells(comparison):
    names = list(dict.fromkeys(comparison.scores["embedding"]))
    combined = ["both", "expert beside statistics"]
    baselines = ["simple-features", "random", "resnet18"]
    assert names == ["bbbc021-expert", "natural-moco", *combined, *baselines, "lacking"]
    scored = comparison.scores.query("metric == 'ami_kmeans' and seed == 'mean'")
    assert scored.set_index("embedding")["replicates"].loc["natural-moco"] == 2
    assert set(scored["n"]) == {96, 0}
    assert "\n" not in repr(comparison)
    simple = scored.set_index("embedding").loc["simple-features"]
    assert simple["value"] == pytest.approx(1)
    tables = ("scores", "differences", "class_differences", "per_class", "confusion")
    for name in (*(f"{table}.csv" for table in tables), "scores.png", "classes-knn.png"):
        assert (comparison.folder / name).stat().st_size > 0
    drawn = {path.stem for path in (comparison.folder / "confusion").iterdir()}
    assert drawn == {safe_name(name) for name in names} - {"resnet18", "lacking"}


def test_combinations_are_made_of_the_same_seeds(comparison):
    scores = comparison.scores.query("metric == 'knn' and seed == 'mean'").set_index("embedding")
    assert scores.loc[["both", "expert beside statistics"], "replicates"].tolist() == [2, 2]
    for name, parts in {"both": COMBINED["both"], "expert-beside-statistics": None}.items():
        for seed in range(2):
            made = ad.read_h5ad(comparison.folder / "combined" / f"{name}-seed{seed}.combined.h5ad")
            assert int(made.uns["cellssl"]["seed"]) == seed
            seeds = [int(block.get("seed", 0)) for block in made.uns["cellssl"]["blocks"].values()]
            assert seeds[0] == seed
            assert parts is None or seeds[1] == seed
    note = comparison.scores.query("embedding == 'lacking' and metric == 'knn'")["note"].iloc[0]
    assert "resnet18, could not be had" in note


@pytest.mark.parametrize(
    ("combination", "message"),
    [
        ({"both": ["bbbc021-expert"]}, "'both': needs two parts, got 1"),
        ({"both": ["bbbc021-expert", "rando"]}, "'rando' is not there .* 'random'"),
        ({"random": ["bbbc021-expert", "random"]}, "called so already"),
        ({"both": ["bbbc021-expert"] * 4}, "wants 4 seeds of one part, but there are 3"),
        ({"both": ["simple-features"] * 2}, "twice that has no seeds"),
        (
            {name: ["bbbc021-expert", "random"] for name in ("a b", "A-b")},
            "called as that of 'a b'",
        ),
    ],
)
def test_combinations_that_cannot_be_are_refused_at_once(crops, tmp_path, combination, message):
    with pytest.raises(ProtocolError, match=message):
        cellssl.compare(
            crops,
            "bbbc021-expert",  # one alone needs no list
            tmp_path / "out",
            baselines={"random": None, "simple-features": None},
            combine=combination,
            progress=False,
        )
    assert not (tmp_path / "out").exists()


def test_the_page_says_what_each_class_gains_and_loses(comparison):
    page = (comparison.folder / "comparison.html").read_text()
    assert "Scores beside baselines" in page
    assert "bbbc021-expert against natural-moco, kNN:" in page
    assert "Fewer than three seeds" in page
    assert "bbbc021-expert + simple-features" in page
    today = datetime.datetime.now(datetime.UTC).date()
    assert re.search(rf"({today - datetime.timedelta(1)}|{today})[^<]*, on cpu \(\d+ thread", page)
    assert "cells on 2 plates" in page


def test_a_baseline_that_cannot_be_had_has_a_row_that_says_why(comparison):
    row = comparison.scores.query("embedding == 'resnet18' and metric == 'knn'").iloc[0]
    assert np.isnan(row["value"])
    assert "absent.pth" in row["note"]


def test_the_same_comparison_again_trains_and_embeds_nothing(comparison, crops):
    made = sorted(comparison.folder.rglob("*.pt")) + sorted(comparison.folder.rglob("*.h5ad"))
    before = [path.stat().st_mtime_ns for path in made]
    again = _compare(crops, comparison.folder, seeds=[0, 1])  # which two says the same
    assert [path.stat().st_mtime_ns for path in made] == before
    pd.testing.assert_frame_equal(again.scores, comparison.scores)


def test_other_orientations_are_embedded_and_not_trained_again(comparison, crops, tmp_path):
    folder = shutil.copytree(comparison.folder, tmp_path / "again")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("checkpoint.pt")}
    environment = folder / "runs" / "natural-moco-seed1" / "environment.json"
    elsewhere = {**json.loads(environment.read_text()), "device_name": "another"}
    environment.write_text(json.dumps(elsewhere))
    options = {"combine": None, "orientations": 8}
    again = _compare(crops, folder, **options)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("checkpoint.pt")} == before
    said = {
        path.stem: ad.read_h5ad(path).uns["cellssl"]["orientations"]
        for path in (folder / "embeddings").glob("*.h5ad")
    }
    assert said.pop("simple-features-seed0") == "any"
    assert len(said) == 6
    assert set(said.values()) == {8}
    page = (folder / "comparison.html").read_text()
    assert "the mean over 8 orientations of each cell, in every embedding" in page
    assert "were not all made on the same device" in page
    assert "same device" not in (comparison.folder / "comparison.html").read_text()
    statistics = "embedding == 'simple-features' and metric == 'knn' and seed == 'mean'"
    values = [one.scores.query(statistics)["value"].item() for one in (comparison, again)]
    assert values[0] == pytest.approx(values[1])


def test_weights_that_are_a_pickle_are_refused(crops, tmp_path):
    (tmp_path / "evil.pth").write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(ModelError, match="pickle"):
        cellssl.embed(crops, "resnet18", weights=tmp_path / "evil.pth", progress=False)


@pytest.mark.parametrize(
    ("protocols", "options", "said"),
    [
        (["bbbc021-expert", "bbbc021-expert"], {}, "comes twice"),
        (["bbbc021-expert"], {"changes": {"training.seed": 3}}, "with several seeds"),
        (["bbbc021-expert"], {"where": "Metadata_benchmark"}, "benchmark"),
        (["bbbc021-expert"], {"subsets": {"some": ["DMSO", "dark"]}}, "dark"),
        (["bbbc021-expert"], {"baselines": {"resnet500": None}}, "no baseline is called"),
        (["bbbc021-expert"], {"baselines": "random"}, "wanted a list of names, or names mapped"),
        (["bbbc021-expert"], {"baselines": ["resnet500"]}, "no baseline is called"),
    ],
)
def test_mistakes_show_before_the_training(crops, tmp_path, protocols, options, said):
    with pytest.raises(cellssl.errors.CellsslError, match=said):
        cellssl.compare(crops, protocols, tmp_path / "out", progress=False, **options)
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def masked(crops, tmp_path_factory):
    """The same cells with a nucleus in the middle of the mask, and two compounds."""
    old = Crops.open(crops)
    masks = np.zeros((96, 1, 24, 24), np.uint8)
    masks[:, :, 8:16, 8:16] = 1
    compound = np.where(np.arange(96) % 2, "taxol", "DMSO")
    obs = old.obs.assign(Metadata_Compound=compound, Metadata_Concentration=1.0)
    return written(tmp_path_factory.mktemp("masked"), old.read(), masks, obs)


def test_treatments_as_positives_are_trained_with_and_marked(masked, tmp_path):
    changes = {"positives": {"kind": "same_treatment", "another_plate": True}}
    weak = _train(masked, tmp_path / "weak", **changes)
    saved = load_checkpoint(weak)
    assert saved["positives"] == "same_treatment on another plate"
    assert saved["weak"]
    embedded = cellssl.embed(masked, weak, progress=False)
    assert embedded.uns["cellssl"]["weak"]
    own = load_checkpoint(_train(masked, tmp_path / "own"))
    assert not own["weak"]
    same = [np.allclose(own["encoder_state"][k], v) for k, v in saved["encoder_state"].items()]
    assert not all(same)
    with pytest.raises(
        EmbeddingError, match=r"its training took Metadata_Compound.* exclude_plates"
    ):
        cellssl.evaluate([embedded], label="MOA", progress=False)


def test_plates_whose_labels_are_not_used_are_scored(masked, tmp_path):
    positives = {"kind": "same_treatment", "exclude_plates": ["P2"]}
    weak = _train(masked, tmp_path / "weak", positives=positives)
    saved = load_checkpoint(weak)
    treatment = ["Metadata_Compound", "Metadata_Concentration"]
    assert saved["labels_used"] == {"columns": treatment, "plates": ["P1"]}
    cellssl.embed(masked, weak, tmp_path / "weak.h5ad", progress=False)
    embedded = cellssl.read_embedding(tmp_path / "weak.h5ad")
    assert list(embedded.uns["cellssl"]["labels_used"]["plates"]) == ["P1"]
    assert embedded.uns["cellssl"]["positives"] == "same_treatment, not of plates P2"
    with pytest.raises(EmbeddingError, match=r"Score the 48 cells of 1 plate .*held_out=True"):
        cellssl.evaluate([embedded], label="MOA", progress=False)
    scores = cellssl.evaluate([embedded], label="MOA", held_out=True, progress=False)
    assert scores["weak"].all()
    assert scores.set_index("metric").loc["knn", "n"] == 48


def test_a_comparison_that_could_not_be_scored_trains_nothing(masked, tmp_path):
    with pytest.raises(EmbeddingError, match=r"bbbc021-expert .and 1 more.: its training took"):
        _compare(masked, tmp_path, changes={**TINY, "positives": "same_treatment"})
    assert not (tmp_path / "runs").exists()


def test_positives_without_their_columns_are_refused_before_training(crops, tmp_path):
    with pytest.raises(ProtocolError, match="same_treatment needs the column Metadata_Compound"):
        _train(crops, tmp_path / "run", positives="same_treatment")
    assert not (tmp_path / "run").exists()


def test_masks_reach_the_views(masked, crops, tmp_path):
    protocol = tmp_path / "masked.yaml"
    protocol.write_text(
        "name: masked\nchannels: [DAPI, Tubulin, Actin]\ncrop: {size: 16}\n"
        "views: [[mask_background: {p: 0.5}, ]]\n"
        "training: {width: 0.125, epochs: 1, batch_size: 16}\n"
    )
    run = cellssl.train(masked, protocol, tmp_path / "run", progress=False)
    assert load_checkpoint(run)["finished"]
    with pytest.raises(
        ProtocolError, match=r"masked does not fit these cells:\n  mask_background needs masks"
    ):
        cellssl.train(crops, protocol, tmp_path / "none", progress=False)


def test_many_crops_are_trained(crops, tmp_path):
    protocol = tmp_path / "crops.yaml"
    protocol.write_text(
        "name: crops\nchannels: any\ncrop: {size: 16}\n"
        "views:\n"
        "  - {count: 2, operations: [rotate: {degrees: 180}]}\n"
        "  - {count: 2, size: 8, operations: [shift: {pixels: 4}]}\n"
        "training: {method: moco, method_options: {queue: 32}, width: 0.125, epochs: 1, batch_size: 16}\n"
    )
    run = cellssl.train(crops, protocol, tmp_path / "run", progress=False)
    assert load_checkpoint(run)["finished"]

"""How far an encoder gets that is told the labels, and never those that it is asked for."""

import shutil
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from cellssl.cli.application import app
from cellssl.crops import CropBatch, Crops, write_crops
from cellssl.embedding import embed
from cellssl.errors import CellsslError, EmbeddingError, ProtocolError, StudyError, TrainingError
from cellssl.phenotypes import evaluate, measure_embeddings, seed_means
from cellssl.pipeline import run as run_pipeline
from cellssl.protocols import LabelsUsed, load
from cellssl.studies import Ceiling, ceiling, compare, train
from cellssl.training import load_checkpoint

SETTINGS = {
    "crop.size": 16,
    "crop.scaling.per": "global",
    "training.width": 0.125,
    "training.epochs": 12,
    "training.batch_size": 32,
    "training.warmup_epochs": 0,
    "training.lr": 0.01,
}
PLATES = ("P1", "P2", "P3", "P4")
CHOSEN = load("bbbc021-expert").model_copy(update={"labels_used": LabelsUsed(columns=["MOA"])})
CHANNELS = ["DAPI", "Tubulin", "Actin"]


def table(**changed: object) -> pd.DataFrame:
    """240 cells of four plates: DMSO, bright and dark ones; a rare class on P4 alone, some unknown."""
    number = np.arange(240)
    plate = np.array(PLATES)[number // 60]
    moa = np.array(["DMSO", "bright", "dark"])[number % 3].astype(object)
    moa[(plate == "P4") & (number % 12 == 0)] = "rare"
    moa[number % 20 == 7] = ""
    obs = {
        "Metadata_Plate": plate,
        "Metadata_Well": [f"{'ABC'[i % 3]}{1 + i % 4:02}" for i in number],
        "Metadata_Site": "1",
        "Metadata_MOA": moa,
        "Metadata_Compound": [f"c{i % 3}" for i in number],
        "Metadata_Chosen": number % 5 > 0,
        "Metadata_Label": number,
        **changed,
    }
    names = [f"{p}/{w}/1/{i}" for p, w, i in zip(plate, obs["Metadata_Well"], number, strict=True)]
    return pd.DataFrame(obs, index=names)


def write(folder: Path, obs: pd.DataFrame) -> Path:
    rng = np.random.default_rng(0)
    images = rng.integers(100, 800, size=(len(obs), 3, 24, 24), dtype=np.uint16)
    number = np.arange(len(obs))
    kind = (number + (number % 15 == 4)) % 3  # some do not look like what they are
    images[kind == 1, 2] += 1500
    images[kind == 2, 0] += 1500
    batch = CropBatch(images, None, obs)
    return write_crops(folder / "crops.h5ad", [batch], channels=CHANNELS, size=24, provenance={})


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("crops"), table())


def measure(crops: Path, out: Path, **options: object) -> Ceiling:
    torch.set_num_threads(1)  # with another number, sums are rounded otherwise
    given = {"label": "MOA", "folds": 2, "changes": SETTINGS, "device": "cpu", "progress": False}
    given |= {"protocol": "bbbc021-expert", "out": out, **options}
    return ceiling(crops, **given)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def found(crops: Path, tmp_path_factory: pytest.TempPathFactory) -> Ceiling:
    return measure(crops, tmp_path_factory.mktemp("ceiling"), subsets={"two": ["DMSO", "bright"]})


def score(found: Ceiling, metric: str, subset: str = "all") -> pd.Series:
    scores = found.measured.scores
    return scores[(scores["metric"] == metric) & (scores["subset"] == subset)].iloc[0]


def test_every_labelled_cell_is_asked_once_by_a_training_that_never_saw_its_plate(
    found: Ceiling, crops: Path
) -> None:
    asked, obs = found.predictions, Crops.open(crops).obs
    labelled = obs[obs["Metadata_MOA"] != ""]
    assert sorted(asked["cell"]) == sorted(labelled.index)
    assert asked.groupby("plate")["fold"].nunique().max() == 1
    assert asked["fold"].nunique() == 2
    for fold, cells in asked.groupby("fold"):
        checkpoint = load_checkpoint(found.folder / "runs" / f"{fold.replace(' ', '-')}-seed0")
        used = checkpoint["labels_used"]
        assert used["columns"] == ["Metadata_MOA"]
        assert sorted(used["plates"]) == sorted(set(PLATES) - set(cells["plate"]))
        told = labelled[~labelled["Metadata_Plate"].isin(cells["plate"])]
        assert checkpoint["data"]["cells"] == len(told)
        assert checkpoint["told"]["classes"] == sorted(set(told["Metadata_MOA"]))


def test_what_can_be_learnt_is_found_and_a_class_of_one_fold_counts_as_nothing(
    found: Ceiling,
) -> None:
    per_class = found.measured.per_class.query("subset == 'all'").set_index("class")["accuracy"]
    assert per_class["rare"] == 0
    assert per_class.drop("rare").min() > 0.6
    own = score(found, "predictions")
    assert own["value"] == pytest.approx(per_class.mean())
    assert own["low"] < own["value"] < own["high"]
    assert own["note"].endswith("cannot be found, not among the labels told: rare")
    assert "cannot" not in score(found, "predictions", "two")["note"]
    assert score(found, "predictions", "two")["value"] > 0.8
    assert score(found, "ami_predictions")["value"] > 0.4
    assert (found.measured.scores["embedding"] == "supervised").all()
    assert found.measured.scores["weak"].all()


def test_what_the_cells_fall_short_of_is_said_once_for_all_folds(
    crops: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    measure(crops, tmp_path, changes={**SETTINGS, "training.epochs": 1})
    assert caplog.text.count("has hardly begun to learn") == 1


def test_the_tables_are_written(found: Ceiling) -> None:
    names = ("scores", "per_class", "confusion", "predictions")
    tables = {name: pd.read_csv(found.folder / f"{name}.csv") for name in names}
    assert repr(found).endswith(f"cells, 2 folds, {found.folder})")
    assert all(len(one) for one in tables.values())
    said = tables["predictions"]
    right = said["true"] == said["predicted"]
    by_class = right.groupby(said["true"]).mean()
    assert by_class.mean() == pytest.approx(score(found, "predictions")["value"])
    shares = said[[f"p({name})" for name in ("DMSO", "bright", "dark", "rare")]]
    assert shares.sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-3)
    known = said["fold"].map(said[said["plate"] == "P4"].groupby("fold").size()).isna()
    assert (shares["p(rare)"].notna() == known).all()  # P4's own fold never heard of it
    assert tables["confusion"].query("subset == 'all'")["count"].sum() == len(said)


def test_labels_of_the_plates_that_are_asked_change_nothing(found: Ceiling, tmp_path: Path) -> None:
    """Other labels on one fold's plates: it is predicted as before, and the other fold is not."""
    plates = found.predictions.groupby("fold")["plate"].unique()
    own = table()
    there = own["Metadata_Plate"].isin(plates["fold 0"]) & (own["Metadata_MOA"] != "")
    turned = {"DMSO": "dark", "bright": "DMSO", "dark": "bright", "rare": "bright"}
    own.loc[there, "Metadata_MOA"] = own.loc[there, "Metadata_MOA"].map(turned)
    other = measure(write(tmp_path, own), tmp_path / "other").predictions
    before, after = found.predictions.set_index("cell"), other.set_index("cell")
    same = [f"p({name})" for name in ("DMSO", "bright", "dark")]
    for fold, alike in (("fold 0", True), ("fold 1", False)):
        cells = before.index[before["fold"] == fold]
        assert (after.loc[cells, "fold"] == fold).all()
        assert (before.loc[cells, "predicted"] == after.loc[cells, "predicted"]).all() == alike
        gap = (before.loc[cells, same] - after.loc[cells, same]).abs().to_numpy().max()
        assert (gap == 0) == alike
    assert (before.loc[there.index[there], "true"] != after.loc[there.index[there], "true"]).all()


def test_finished_folds_are_kept(found: Ceiling, crops: Path, tmp_path: Path) -> None:
    files = sorted(found.folder.glob("runs/*/checkpoint.pt"))
    before = [file.stat().st_mtime_ns for file in files]
    again = measure(crops, found.folder, subsets={"two": ["DMSO", "bright"]})
    assert [file.stat().st_mtime_ns for file in files] == before
    pd.testing.assert_frame_equal(again.predictions, found.predictions)
    with pytest.raises(TrainingError, match="holds another run"):
        measure(crops, found.folder, changes={**SETTINGS, "training.epochs": 3})


def test_predictions_may_be_of_all_orientations(
    found: Ceiling, crops: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(found.folder, tmp_path / "copy")
    eight = measure(crops, copy, orientations=8).predictions
    assert len(eight) == len(found.predictions)
    assert not eight["p(DMSO)"].equals(found.predictions["p(DMSO)"])


def test_other_labels_are_another_run(found: Ceiling, tmp_path: Path) -> None:
    own = table()
    own["Metadata_MOA"] = own["Metadata_MOA"].replace({"DMSO": "dark", "dark": "DMSO"})
    with pytest.raises(TrainingError, match=r"holds another run .*fingerprint"):
        measure(write(tmp_path, own), found.folder)


def test_a_fold_is_an_ordinary_run_that_is_marked(
    found: Ceiling, crops: Path, tmp_path: Path
) -> None:
    run = found.folder / "runs" / "fold-0-seed0"
    embedded = embed(crops, run, progress=False)
    assert embedded.uns["cellssl"]["weak"]
    held = found.predictions.query("fold == 'fold 0'")
    with pytest.raises(EmbeddingError, match="labels that training was given"):
        evaluate([embedded], label="MOA", progress=False, resamples=3)
    with pytest.raises(EmbeddingError, match="labels that training was given"):
        run_pipeline(crops, tmp_path / "run", model=run, label="MOA", progress=False)
    assert not (tmp_path / "run").exists()
    scores = evaluate([embedded], label="MOA", held_out=True, progress=False, resamples=3)
    assert set(scores.query("metric == 'knn'")["n"]) == {len(held)}


def test_weak_labels_draw_the_line_themselves(crops: Path, tmp_path: Path) -> None:
    weak = {"positives": {"kind": "same_treatment", "exclude_plates": ["P2", "P4"]}}
    found = measure(crops, tmp_path, changes={**SETTINGS, **weak}, where="Chosen", seeds=2)
    assert set(found.predictions["plate"]) == {"P2", "P4"}
    assert set(found.predictions["fold"]) == {"unused plates"}
    chosen = Crops.open(crops).obs.query("Metadata_Chosen and Metadata_MOA != ''")
    assert found.measured.counts["scored"] == chosen["Metadata_Plate"].isin(["P2", "P4"]).sum()
    for seed in (0, 1):
        checkpoint = load_checkpoint(tmp_path / "runs" / f"unused-plates-seed{seed}")
        assert checkpoint["labels_used"]["plates"] == ["P1", "P3"]
        assert checkpoint["data"]["cells"] == chosen["Metadata_Plate"].isin(["P1", "P3"]).sum()
        assert checkpoint["positives"] == "same_cell"
    seeds = found.measured.scores["seed"].unique().tolist()
    assert seeds == ["mean", "0", "1"]


def test_it_stands_beside_scores_of_the_same_cells_only(
    found: Ceiling, crops: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rng = np.random.default_rng(0)
    obs = table()
    cells = ad.AnnData(rng.normal(size=(len(obs), 6)), obs=obs, uns={"cellssl": {"name": "noise"}})
    absent = {"resnet101": "its weights are not at hand"}
    scored = measure_embeddings([cells], label="MOA", absent=absent, progress=False, resamples=5)
    scored.save(tmp_path / "all")
    beside = measure(crops, found.folder, beside=tmp_path / "all")
    assert list(dict.fromkeys(beside.scores["embedding"])) == ["noise", "resnet101", "supervised"]
    assert len(pd.read_csv(found.folder / "beside.csv")) == len(beside.scores)
    # Scored with five draws, the ceiling with 400: these are of no same resamples.
    assert beside.differences.empty
    assert "not compared with the ceiling: noise. " in caplog.text
    assert "or not 400 times" in caplog.text
    evaluate([cells], label="MOA", where="Chosen", out=tmp_path / "some", progress=False)
    with pytest.raises(StudyError, match=r"cannot stand side by side. Give the same --label"):
        measure(crops, tmp_path / "out", beside=tmp_path / "some" / "scores.csv")
    # As many cells, but not the same: each of another name.
    moved = cells.copy()
    moved.obs_names = [f"{name}x" for name in cells.obs_names]
    evaluate([moved], label="MOA", out=tmp_path / "moved", progress=False)
    with pytest.raises(StudyError, match=r"scores others of 228 cells by Metadata_MOA"):
        measure(crops, tmp_path / "out", beside=tmp_path / "moved")
    with pytest.raises(StudyError, match="no scores at"):
        measure(crops, tmp_path / "out", beside=tmp_path)
    assert not (tmp_path / "out").exists()  # nothing was trained before


def test_it_is_compared_with_each_embedding_of_the_same_cells(
    found: Ceiling, crops: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    obs = table()
    noise = np.random.default_rng(0).normal(size=(len(obs), 6))
    told = pd.get_dummies(obs["Metadata_MOA"]).to_numpy(float) + 0.01 * noise[:, :5]
    cells = {
        name: ad.AnnData(X.astype(np.float32), obs=obs, uns={"cellssl": {"name": name}})
        for name, X in (("noise", noise), ("oracle", told))
    }
    options = {"label": "MOA", "subsets": {"two": ["DMSO", "bright"]}}
    scored = measure_embeddings(cells, **options, progress=False)
    scored.save(tmp_path / "scores")
    subsets = {"two": ["DMSO", "bright"], "other": ["bright", "dark"]}
    beside = measure(crops, found.folder, subsets=subsets, beside=tmp_path / "scores")
    own = beside.differences.set_index(["embedding_b", "subset", "metric"])
    assert len(own) == len(pd.read_csv(found.folder / "differences.csv")) == 2 * 2 * 3
    assert set(own["embedding_a"]) == {"supervised"}
    scores = seed_means(scored.scores).set_index(["embedding", "subset", "metric"])["value"]
    for metric, predicted in (("linear", "predictions"), ("ami_kmeans", "ami_predictions")):
        more = score(found, predicted, "two")["value"] - scores["noise", "two", metric]
        assert own.loc[("noise", "two", metric), "difference"] == pytest.approx(more)
    assert own.loc[("noise", "all", "knn"), "low"] > 0
    assert own.loc[("oracle", "all", "linear"), "high"] < 0
    # Paired: of what is always right alike, the ceiling's own resamples are left.
    row, told_all = own.loc[("oracle", "all", "linear")], score(found, "predictions")
    width = told_all["high"] - told_all["low"]
    assert row["high"] - row["low"] == pytest.approx(width, abs=0.05)
    assert not (found.folder / "draws.npz").exists()
    # Other draws are none to be paired with: of cells in another order, or kept apart by wells.
    back = {name: one[::-1].copy() for name, one in cells.items()}
    measure_embeddings(back, **options, progress=False).save(tmp_path / "back")
    assert measure(crops, found.folder, beside=tmp_path / "back").differences.empty
    assert "not compared with the ceiling: noise and oracle" in caplog.text
    measure_embeddings(cells, **options, groups="well", progress=False).save(tmp_path / "wells")
    wells = measure(crops, found.folder, subsets=subsets, beside=tmp_path / "wells").differences
    assert set(wells["metric"]) == {"ami_kmeans"}
    (tmp_path / "scores" / "draws.npz").unlink()
    assert measure(crops, found.folder, beside=tmp_path / "scores").differences.empty
    assert "no draws.npz lies beside" in caplog.text
    assert not (found.folder / "differences.csv").exists()


@pytest.mark.parametrize(
    ("changed", "options", "message"),
    [
        ({}, {"label": "MAO"}, "no column 'MAO'; did you mean 'Metadata_MOA'"),
        ({}, {"folds": 5}, "lie on 4 plates, which 5 folds cannot divide: take 2 to 4"),
        ({"Metadata_Plate": "P1"}, {}, "lie on one plate, P1"),
        ({"Metadata_MOA": "DMSO"}, {}, "has one class only, 'DMSO'"),
        (
            {"Metadata_MOA": np.repeat(["DMSO", "DMSO", "bright", "bright"], 60)},
            {"where": "Metadata_Half"},
            r"fold 0: .* hold '\w+' only of the classes of Metadata_MOA, wanted two",
        ),
        ({}, {"changes": {**SETTINGS, "training.seed": 3}}, "trains with seeds 0, 1"),
        ({}, {"changes": {"training.method": "moco"}}, "with the method supervised"),
        ({}, {"protocol": CHOSEN}, "amplitudes were chosen by them"),
        ({}, {"subsets": {"two": ["DMSO", "brihgt"]}}, "did you mean 'bright'"),
    ],
)
def test_mistakes_show_before_anything_is_trained(
    changed: dict, options: dict, message: str, tmp_path: Path
) -> None:
    half = np.isin(np.arange(240) // 60, [1, 2])
    path = write(tmp_path, table(Metadata_Half=half, **changed))
    with pytest.raises(CellsslError, match=message):
        measure(path, tmp_path / "out", **options)
    assert not (tmp_path / "out" / "runs").exists()


def test_one_training_that_is_told_labels(crops: Path, tmp_path: Path) -> None:
    told = {**SETTINGS, "training.method": "supervised", "training.epochs": 1}
    run = train(crops, "bbbc021-expert", tmp_path / "a", label="MOA", changes=told, progress=False)
    saved = load_checkpoint(run)
    assert saved["settings"]["method_options"] == {"classes": 4}
    assert saved["labels_used"] == {"columns": ["Metadata_MOA"], "plates": list(PLATES)}
    with pytest.raises(ProtocolError, match="learns a label: name its column, with --label"):
        train(crops, "bbbc021-expert", tmp_path / "b", changes=told, progress=False)
    wrong = {**told, "training.method_options": {"classes": 9}}
    with pytest.raises(ProtocolError, match="say 9 classes, Metadata_MOA has 4"):
        train(crops, "bbbc021-expert", tmp_path / "b", label="MOA", changes=wrong, progress=False)
    weak = {**told, "positives": "same_treatment"}
    with pytest.raises(TrainingError, match="positives: same_cell"):
        train(crops, "bbbc021-expert", tmp_path / "b", label="MOA", changes=weak, progress=False)
    with pytest.raises(ProtocolError, match="has one head, and there are groups"):
        train(crops, "bbbc021-two-heads", tmp_path / "b", label="MOA", changes=told, progress=False)
    with pytest.raises(StudyError, match="`cellssl study ceiling` trains it"):
        compare(crops, ["bbbc021-expert"], tmp_path / "c", label="MOA", changes=told)


def test_on_the_command_line(found: Ceiling, crops: Path) -> None:
    settings = [f"--set={key}={value}" for key, value in SETTINGS.items()]
    command = ["study", "ceiling", crops, "-p", "bbbc021-expert", "-o", found.folder, "--device"]
    options = ["cpu", "--label", "MOA", "--folds", "2", "--subset", "two=DMSO,bright", *settings]
    result = CliRunner().invoke(app, [str(word) for word in [*command, *options]])
    assert result.exit_code == 0, result.output
    assert "supervised †" in result.output
    assert "told the labels themselves" in result.output
    assert "cannot be found, not among the labels told: rare" in result.output

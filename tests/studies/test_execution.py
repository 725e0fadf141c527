"""Carrying studies out: run by run, interrupted, in processes, with runs that fail."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest

from cellssl.crops import CropBatch, Crops, write_crops
from cellssl.errors import CellsslError, ProtocolError, StoppedError, StudyError
from cellssl.studies import (
    Outcome,
    Study,
    carry_out,
    estimate,
    execution,
    plan_runs,
    readiness,
    run_states,
    score_study,
    timing,
)
from cellssl.studies.readiness import check_ready

FOLDERS = [f"{name}-seed{seed}" for seed in (0, 1) for name in ("expert", "geometry")]
SCORED = ["embedding", "subset", "metric", "seed", "value", "low", "high"]


def assert_same_runs(out: Path, expected: Path) -> None:
    """Scores follow from the embeddings; those follow from all that was trained."""
    for name in FOLDERS:
        ours, theirs = (ad.read_h5ad(f / "runs" / name / "embedding.h5ad") for f in (out, expected))
        assert ours.obs_names.equals(theirs.obs_names)
        np.testing.assert_allclose(ours.X, theirs.X, rtol=1e-3, atol=1e-4)


def test_every_run_is_a_run_folder_with_an_embedding(carried_out: Path, cells: Path) -> None:
    assert sorted(path.name for path in (carried_out / "runs").iterdir()) == sorted(FOLDERS)
    obs = Crops.open(cells).obs
    for name in FOLDERS:
        folder = carried_out / "runs" / name
        there = {path.name for path in folder.iterdir()}
        assert {"protocol.yaml", "checkpoint.pt", "metrics.csv", "environment.json"} <= there
        found = ad.read_h5ad(folder / "embedding.h5ad")
        assert found.obs_names.equals(obs.index)
        assert found.uns["cellssl"]["name"] == name.split("-")[0]
        assert str(found.uns["cellssl"]["seed"]) == name[-1]


def test_the_same_again_trains_nothing(tiny: Study, carried_out: Path, cells: Path) -> None:
    files = sorted((carried_out / "runs").rglob("*.*"))
    before = [file.stat().st_mtime_ns for file in files]
    assert carry_out(tiny, cells, carried_out, device="cpu", progress=False) == {}
    assert [file.stat().st_mtime_ns for file in files] == before
    states = run_states(tiny, carried_out, cells)
    assert states["run"].tolist() == FOLDERS
    assert set(states["state"]) == {"finished"}
    assert (states["seconds"] > 0).all()


def study_command(file: Path, cells: Path, out: Path) -> list[str]:
    command = [sys.executable, "-m", "cellssl", "study", "run", str(file), str(cells)]
    return [*command, "-o", str(out), "--device", "cpu", "--train-only"]


def test_killed_at_a_random_moment_and_run_again(
    tiny_file: Path,
    tiny: Study,
    cells: Path,
    carried_out: Path,
    outcome: Outcome,
    tmp_path: Path,
) -> None:
    out, environment = tmp_path / "out", {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        study_command(tiny_file, cells, out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    wait_for(lambda: (out / "runs").exists(), process)
    time.sleep(random.uniform(0, 2))
    process.kill()
    process.wait()
    states = run_states(tiny, out, cells)["state"].tolist()
    assert carry_out(tiny, cells, out, device="cpu", progress=False) == {}
    assert_same_runs(out, carried_out)
    again = score_study(tiny, cells, out, device="cpu", progress=False)
    pd.testing.assert_frame_equal(
        again.scores[SCORED], outcome.scores[SCORED], atol=1e-3, obj=f"after {states}"
    )


def wait_for(happens, process: subprocess.Popen, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not happens():
        assert process.poll() is None, "the study ended before it could be killed"
        assert time.monotonic() < end
        time.sleep(0.02)


def test_half_a_run_goes_on(tiny: Study, carried_out: Path, cells: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(carried_out, out)
    (out / "runs" / FOLDERS[0] / "finished.json").unlink()  # killed while it embedded
    shutil.rmtree(out / "runs" / FOLDERS[3])
    states = run_states(tiny, out, cells).set_index("run")["state"]
    assert states[FOLDERS[0]] == "trained"
    assert states[FOLDERS[3]] == "not begun"
    assert carry_out(tiny, cells, out, device="cpu", progress=False) == {}
    assert_same_runs(out, carried_out)


def test_two_jobs_give_the_same_runs(
    tiny: Study, cells: Path, carried_out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    out = tmp_path / "out"
    assert carry_out(tiny, cells, out, device="cpu", jobs=2, progress=False) == {}
    assert_same_runs(out, carried_out)


def test_runs_that_fail_are_named_and_the_rest_is_reported(
    tiny: Study, carried_out: Path, cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = changed(tiny, combine={}, baselines=[])
    out = tmp_path / "out"
    shutil.copytree(carried_out, out)
    for name in (FOLDERS[0], FOLDERS[1], FOLDERS[2]):
        shutil.rmtree(out / "runs" / name)
    real = execution.train

    def train(crops, protocol, folder, **options):
        if protocol.name == "geometry":
            raise ValueError("the disc is a square")
        if protocol.training.seed == 1:
            raise ProtocolError("no such channel")
        return real(crops, protocol, folder, **options)

    monkeypatch.setattr(execution, "train", train)
    failed = carry_out(tiny, cells, out, device="cpu", progress=False)
    assert failed == {
        "geometry-seed0": "ValueError: the disc is a square",
        "expert-seed1": "no such channel",
    }
    outcome = score_study(tiny, cells, out, device="cpu", progress=False)
    assert outcome.missing == {name: f"failed: {reason}" for name, reason in failed.items()}
    assert {"expert", "geometry"} == set(outcome.scores["embedding"])
    assert pd.read_csv(out / "runs.csv")["state"].str.startswith("failed").sum() == 2
    monkeypatch.setattr(execution, "train", real)
    assert carry_out(tiny, cells, out, device="cpu", progress=False) == {}
    assert set(run_states(tiny, out, cells)["state"]) == {"finished"}


def test_a_study_that_is_asked_to_stop_stops(
    tiny: Study, cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def train(crops, protocol, folder, **options):
        asked.append(folder)
        raise StoppedError("stopped by SIGTERM")

    monkeypatch.setattr(execution, "train", train)
    with pytest.raises(StoppedError):
        carry_out(tiny, cells, tmp_path / "out", device="cpu", progress=False)
    assert len(asked) == 1


def test_other_crops_are_not_taken_for_finished(
    tiny: Study, carried_out: Path, cells: Path, tmp_path: Path
) -> None:
    other = tmp_path / "crops.h5ad"
    shutil.copyfile(cells, other)
    os.utime(other, ns=(1, 1))  # as a copy has it
    assert set(run_states(tiny, carried_out, other)["state"]) == {"finished"}
    with h5py.File(other, "r+") as file:
        file["obsm/crops"][0] += 1
    states = run_states(tiny, carried_out, other)
    assert set(states["state"]) == {"finished, but of other crops or settings"}
    with pytest.raises(StudyError, match=r"is finished in .*: those that .* of other crops"):
        score_study(tiny, other, carried_out, device="cpu", progress=False)


def test_other_orientations_are_embedded_anew_and_runs_of_earlier_versions_are_kept(
    tiny: Study, carried_out: Path, cells: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(carried_out, tmp_path / "out")
    for record in (out / "runs").rglob("finished.json"):
        content = json.loads(record.read_text())
        assert content["inputs"].pop("orientations") == 1  # as older runs have it
        assert content["inputs"]["protocol"]["training"].pop("own_stages") == 0
        record.write_text(json.dumps(content))
    assert set(run_states(tiny, out, cells)["state"]) == {"finished"}
    eight = changed(tiny, orientations=8)
    assert set(run_states(eight, out, cells)["state"]) == {
        "finished, but of other crops or settings"
    }
    weights = {path: path.stat().st_mtime_ns for path in out.rglob("checkpoint.pt")}
    assert carry_out(eight, cells, out, device="cpu", progress=False) == {}
    assert {path: path.stat().st_mtime_ns for path in out.rglob("checkpoint.pt")} == weights
    for name in FOLDERS:
        found = ad.read_h5ad(out / "runs" / name / "embedding.h5ad")
        assert found.uns["cellssl"]["orientations"] == 8
    with pytest.raises(ValueError, match="1, 4 or 8"):
        changed(tiny, orientations=2)


@pytest.mark.parametrize("record", [{"seconds": 1.0}, {"inputs": {"protocol": {}}}, {"inputs": []}])
def test_a_damaged_record_is_named(tiny: Study, tmp_path: Path, record: dict) -> None:
    folder = tmp_path / "runs" / FOLDERS[0]
    folder.mkdir(parents=True)
    (folder / "finished.json").write_text(json.dumps(record))
    with pytest.raises(StudyError, match=r"expert-seed0.finished\.json is damaged: delete it"):
        run_states(tiny, tmp_path)


def test_a_crop_folder_is_its_file(tiny: Study, carried_out: Path, cells: Path) -> None:
    assert cells.name == "crops.h5ad"
    states = run_states(tiny, carried_out, cells.parent)
    assert set(states["state"]) == {"finished"}
    assert carry_out(tiny, cells.parent, carried_out, device="cpu", progress=False) == {}
    (cells.parent / "notes.txt").touch()  # what else lies in the folder says nothing of the crops
    found = score_study(tiny, cells.parent, carried_out, device="cpu", progress=False)
    assert found.crops.path == cells


def changed(tiny: Study, **values: object) -> Study:
    return Study.model_validate({**tiny.model_dump(), **values})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"label": "MOB"}, "MOB"),
        ({"where": "Metadata_benchmark"}, "benchmark"),
        ({"subsets": {"some": ["DMSO", "dark"]}}, "dark"),
        ({"normalise": "standardize"}, "standardise"),
        ({"baselines": ["resnet500"]}, "no baseline is called 'resnet500'"),
        ({"protocol": "translocation-expert", "axes": {"a": {"b": {}}}, "combine": {}}, "GFP"),
        ({"axes": {"a": {"random": {}}}, "baselines": ["random"], "combine": {}}, "rename"),
        (
            {"axes": {"a": {"b": {"positives": "same_treatment"}}}, "combine": {}},
            "its training took Metadata_Compound",
        ),
    ],
)
def test_mistakes_show_before_the_trainings(
    tiny: Study, cells: Path, tmp_path: Path, values: dict, said: str
) -> None:
    with pytest.raises(CellsslError, match=said):
        carry_out(changed(tiny, **values), cells, tmp_path / "out", device="cpu", progress=False)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_other_settings_is_refused(tiny: Study, carried_out: Path, cells: Path) -> None:
    saved = (carried_out / "study.yaml").read_text()
    with pytest.raises(StudyError, match=r"expert-seed0 holds a run .*training\.epochs: 3, now 4"):
        carry_out(
            tiny.changed({"training.epochs": 4}), cells, carried_out, device="cpu", progress=False
        )
    assert (carried_out / "study.yaml").read_text() == saved


def test_the_estimate_counts_runs_and_steps(tiny: Study, cells: Path) -> None:
    one = changed(tiny, axes={"views": {"expert": {}}}, combine={})
    cost = estimate(one, cells, device="cpu", steps=4)
    assert cost.runs == 2
    assert 0 < cost.seconds < 60
    longer = estimate(one.changed({"training.epochs": 300}), cells, device="cpu", steps=4)
    assert 10 < longer.seconds / cost.seconds < 1000
    assert np.isfinite(longer.seconds)


def test_amplitudes_are_timed_once_and_operations_each(
    tiny: Study, cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed = []

    def seconds(protocol, *_, **__):
        timed.append(protocol.name)
        return 1.0 if "geometry" in protocol.name else 10.0

    monkeypatch.setattr(timing, "_seconds", seconds)
    gain = {"sweep": "training.lr", "values": [0.1, 0.2]}
    zoom = {"slight": {"change": {"rotate": {"degrees": 5}}}, "strong": {}}
    views = {"expert": {}, "geometry": {"keep": ["rotate", "flip"]}}
    study = changed(tiny, axes={"views": views, "zoom": zoom}, combine={}, seeds=3)
    cost = estimate(study, cells, device="cpu")
    assert cost.timed == len(timed) == 2
    assert cost.runs == 12
    assert cost.seconds == 3 * (2 * 1.0 + 2 * 10.0)
    # Whether the learning rate changes the time is not known: such combinations are timed each.
    assert estimate(changed(study, axes={"lr": gain}), cells, device="cpu").timed == 2


def test_a_plan_names_the_combination_that_cannot_be_timed(tiny: Study, cells: Path) -> None:
    wild = changed(tiny, axes={"lr": {"wild": {"training": {"lr": 1e30}}}}, combine={})
    with pytest.raises(StudyError) as caught:
        estimate(wild, cells, device="cpu")
    said = str(caught.value)
    assert said.startswith(f"wild cannot be timed on {cells}: the loss became nan at step ")
    assert said.count("/") == str(cells).count("/")  # no path of a passing folder


@pytest.mark.parametrize("stop", [StoppedError, KeyboardInterrupt])
def test_a_plan_that_is_stopped_says_nothing_of_passing_folders(
    tiny: Study, cells: Path, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    def train(crops, protocol, folder, **options):
        raise stop(f"saved at step 3; the same command goes on: {folder}")

    monkeypatch.setattr(timing, "train", train)
    with pytest.raises(stop, match=r"^stopped while .* was timed; no run is begun$"):
        estimate(tiny, cells, device="cpu")


def test_combinations_of_several_axes_are_told_apart_in_a_warning(
    tiny: Study, cells: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    axes = {"lr": {"sweep": "training.lr", "values": [0.1, 0.01]}, "views": {"expert": {}}}
    doubt = SimpleNamespace(message="few cells")
    monkeypatch.setattr(readiness, "require_crops", lambda *_: [doubt])
    two = changed(tiny, axes=axes, combine={})
    check_ready(two, plan_runs(two), cells)
    assert "few cells ('lr 0.1, expert' and 'lr 0.01, expert')" in caplog.text


def test_the_same_protocol_under_two_names_is_told(
    tiny: Study, tiny_file: Path, cells: Path, caplog: pytest.LogCaptureFixture
) -> None:
    views = {"expert": {}, "again": {"views_of": "bbbc021-expert"}, "other": {"keep": ["flip"]}}
    wordy = {"change": {"rotate": {"because": "a cell has no top"}}}
    check_ready(tiny, plan_runs(tiny), cells)
    assert "under" not in caplog.text
    twice = changed(tiny, axes={"views": {**views, "wordy": wordy}}, combine={})
    check_ready(twice, plan_runs(twice), cells)
    (told,) = (message for message in caplog.messages if "under" in message)
    assert "expert, again and wordy are one protocol under 3 names" in told
    assert "'other'" not in told


def test_a_label_is_chosen_in_the_study(
    tiny: Study, cells: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    check_ready(changed(tiny, label=None), plan_runs(tiny), cells)
    assert "scoring against Metadata_MOA (`label:` in the study's file chooses" in caplog.text
    obs = Crops.open(cells).obs[["Metadata_Plate"]]
    bare = write_crops(
        tmp_path / "bare.h5ad",
        [CropBatch(Crops.open(cells).read(np.arange(len(obs))), None, obs)],
        channels=["DAPI", "Tubulin", "Actin"],
        size=32,
        provenance={},
    )
    with pytest.raises(
        StudyError, match=r"label: these cells need a label.*column \(`label:` in the"
    ):
        check_ready(changed(tiny, label=None), plan_runs(tiny), bare)


def test_a_plan_names_mistakes_too(tiny: Study, cells: Path) -> None:
    with pytest.raises(CellsslError, match="MOB"):
        estimate(changed(tiny, label="MOB"), cells, device="cpu")

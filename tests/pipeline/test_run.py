"""The whole way, on a small simulated plate."""

from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import cellssl
from cellssl.cells import LabelImages, Labels
from cellssl.crops import CropBatch, Crops, write_crops
from cellssl.errors import CellsslError
from cellssl.pipeline import stages, summary
from cellssl.plates import index, simulate

SMALL = {"training.epochs": 1, "training.width": 0.125, "training.batch_size": 32}


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    simulated = simulate(
        tmp_path_factory.mktemp("plate"), plates=1, wells=12, size=(352, 352), progress=False
    )
    return index(simulated.folder, layout="bbbc021")


@pytest.fixture(scope="module")
def result(plate, tmp_path_factory):
    return _run(plate, tmp_path_factory.mktemp("run"))


def _run(plate, out, **options):
    defaults = {
        "protocol": "bbbc021-expert",
        "changes": SMALL,
        "label": "MOA",
        "baselines": {"simple-features": None},
    }
    options = {**defaults, **options}
    return cellssl.run(plate, out, progress=False, **{"sample": 200, **options})


def test_gives_crops_encoder_embeddings_scores_and_report(result):
    embedding = ad.read_h5ad(result.embeddings["cellssl"])
    assert embedding.n_obs > 100
    assert np.isfinite(embedding.X).all()
    assert repr(result) == f"RunResult({result.report}, cellssl and simple-features)"
    assert set(result.scores["embedding"]) == {"cellssl", "simple-features"}
    assert {"ami_kmeans", "knn", "linear"} <= set(result.scores["metric"])
    page = result.report.read_text()
    assert "bbbc021-expert" in page
    assert "<img" in page
    assert (result.report.parent / "explorer.html").stat().st_size > 4_000_000


def test_cells_found_are_kept_or_dropped_with_a_reason(result):
    fields = pd.read_csv(result.crops.parent / "fields.csv")
    dropped = fields.filter(like="dropped_").sum(axis=1)
    assert (fields["found"] == fields["kept"] + dropped).all()
    assert fields["kept"].sum() == ad.read_h5ad(result.embeddings["cellssl"]).n_obs


def test_a_handful_of_cells_is_refused_before_the_training(result, tmp_path):
    whole = Crops.open(result.crops)
    rows = np.arange(5)
    batch = CropBatch(whole.read(rows), whole.masks(rows), whole.obs.iloc[:5])
    options = {"channels": whole.channels, "size": whole.size, "provenance": {}}
    path = write_crops(tmp_path / "few.h5ad", [batch], **options)
    with pytest.raises(CellsslError, match=r"holds 5 cells, too few for a report"):
        _run(path, tmp_path / "run")
    assert not (tmp_path / "run" / "model").exists()


def test_why_a_baseline_has_no_scores_is_said(result, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(stages, "weights_at_hand", lambda _: None)
    given = {"protocol": None, "changes": None, "model": result.model}
    with caplog.at_level("INFO"):
        _run(result.crops, tmp_path, baselines={"resnet101": None}, download=False, **given)
    assert "no resnet101: its weights are not at hand" in caplog.text


def test_again_does_nothing_anew(result, plate):
    files = [result.crops, result.model / "checkpoint.pt", result.report]
    before = [path.stat().st_mtime_ns for path in files]
    again = _run(plate, result.report.parent)
    assert [path.stat().st_mtime_ns for path in files] == before
    pd.testing.assert_frame_equal(again.scores, result.scores)


def test_redo_does_a_stage_again_and_keeps_those_before(result, plate):
    crops, report = result.crops.stat().st_mtime_ns, result.report.stat().st_mtime_ns
    _run(plate, result.report.parent, redo="report")
    assert result.crops.stat().st_mtime_ns == crops
    assert result.report.stat().st_mtime_ns != report


def test_a_new_plate_goes_through_an_encoder_that_exists(result, tmp_path):
    simulated = simulate(
        tmp_path / "plate", plates=1, wells=8, size=(320, 320), seed=7, progress=False
    )
    new = _run(
        index(simulated.folder, layout="bbbc021"),
        tmp_path / "out",
        protocol=None,
        changes=None,
        model=result.model,
    )
    assert new.model == result.model
    assert f"not trained in this run: it is {result.model}" in new.report.read_text()
    assert "not trained in this run" not in result.report.read_text()
    assert not (tmp_path / "out" / "model").exists()


def test_crops_that_exist_can_be_run(result, tmp_path):
    new = _run(result.crops, tmp_path / "out")
    assert new.crops == result.crops
    assert new.report.exists()


def test_orientations_are_asked_of_every_model(result, tmp_path):
    found = _run(
        result.crops, tmp_path, protocol=None, changes=None, model=result.model, orientations=8
    )
    about = {name: ad.read_h5ad(path).uns["cellssl"] for name, path in found.embeddings.items()}
    assert about["cellssl"]["orientations"] == 8
    with pytest.raises(CellsslError, match="wanted 1 "):
        _run(result.crops, tmp_path / "new", orientations=3)
    assert not (tmp_path / "new").exists()


def test_redo_never_deletes_what_the_run_is_given(result):
    with pytest.raises(CellsslError, match="would delete"):
        _run(result.crops, result.report.parent, redo="crop")
    with pytest.raises(CellsslError, match="would delete"):
        _run(
            result.crops,
            result.report.parent,
            protocol=None,
            changes=None,
            model=result.model,
            redo="train",
        )
    assert result.crops.exists()
    assert (result.model / "checkpoint.pt").exists()


def test_redo_leaves_a_folder_alone_that_is_no_runs(result, tmp_path):
    (tmp_path / "crops").mkdir()
    with pytest.raises(CellsslError, match="nothing in it is deleted"):
        _run(result.crops, tmp_path, redo="crop")
    assert (tmp_path / "crops").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"protocol": None}, "got none"),
        ({"model": "somewhere"}, "got both"),
        ({"model": "somewhere", "protocol": None}, "cannot be changed"),
        ({"model": "resnet101", "protocol": None}, "--baseline resnet101"),
        ({"baselines": {"resnet500": None}}, "did you mean 'resnet50'"),
        ({"baselines": {"random": Path("w.pth")}}, "no weights to load"),
        ({"dose": "Dosis"}, "Dosis"),
        ({"dose": "Well"}, "Metadata_Well holds no numbers"),
        ({"sample": 0}, "sample: wanted .* got 0"),
        ({"redo": "everything"}, "Stages: crop"),
        ({"label": "Mao"}, "did you mean 'Metadata_MOA'"),
        ({"changes": {"training.epoch": 1}}, "training.epochs"),
        ({"changes": {"training.method": "supervised"}}, "study ceiling. trains it"),
    ],
)
def test_mistakes_are_said(result, options, said, tmp_path):
    with pytest.raises(CellsslError, match=said):
        _run(result.crops, tmp_path / "out", **options)


def test_labels_are_outlined_whatever_channels_are_called(monkeypatch):
    field = np.stack([np.full((8, 8), level) for level in (1, 2)])
    labels = Labels(np.eye(8, dtype=np.int32))
    monkeypatch.setattr(summary, "segment_field", lambda _: ([], field, labels))
    fields = pd.DataFrame({"Metadata_Plate": ["P1"], "Metadata_Well": ["A01"]})
    job = MagicMock(segmenter=LabelImages("labels/{well}.tif"))
    for channels, level in ((("ER", "Actin"), 1), (("ER", "DNA"), 2)):
        index = SimpleNamespace(fields=fields, channels=channels)
        (overlay,) = summary._outline(index, job, {}, None)
        assert (overlay.image == level).all()

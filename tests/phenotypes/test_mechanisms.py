"""NSC and NSCB through the public functions: simulated screens, and the published profiles of BBBC021."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cellssl.cli import application
from cellssl.errors import EmbeddingError
from cellssl.phenotypes import evaluate, normalise_features, read_scores
from cellssl.phenotypes.controls import control_cells
from cellssl.phenotypes.evaluation.mechanisms import find_treatments
from cellssl.scores import aggregate, batch_membership, nscb

LABEL = "Metadata_MOA"


def score(cells, **options):
    options = {"label": LABEL, "resamples": 50, "seeds": (0,)} | options
    return evaluate(cells if isinstance(cells, list) else [cells], progress=False, **options)


def row(table, metric):
    return table[(table["metric"] == metric) & (table["seed"] == "mean")].iloc[0]


def spread(cells):
    """Give every compound a batch of its own beside those of its plates."""
    cells = cells.copy()
    cells.obs["Metadata_Batch"] = "Week" + cells.obs["Metadata_Compound"].str.len().astype(str)
    return cells


def test_treatments_without_controls_are_matched(make_embedding):
    table = score(spread(make_embedding()))
    found = row(table, "nsc")
    assert (found["value"], found["n"], found["classes"]) == (1, 6, 2)
    assert found["split"] == "compounds"
    assert found["low"] <= found["value"] <= found["high"]
    assert row(table, "nscb")["value"] == 1
    assert row(table, "nscb")["split"] == "compounds and batches"


def test_treatments_of_every_batch_cannot_be_scored_across_batches(make_embedding):
    found = row(score(make_embedding()), "nscb")
    assert np.isnan(found["value"])
    assert found["n"] == 0
    assert "NSCB: left out, no other compound is in other batches: cytochalasin 1" in found["note"]


def test_batches_that_are_missing_are_named(make_embedding):
    cells = make_embedding()
    del cells.obs["Metadata_Batch"]
    table = score(cells)
    assert row(table, "nscb")["note"] == "no column Metadata_Batch"
    assert row(table, "nsc")["value"] == 1


def test_other_labels_are_no_mechanisms(make_embedding):
    cells = make_embedding()
    assert not score(cells, label="Metadata_Compound")["metric"].isin(["nsc", "nscb"]).any()
    del cells.obs["Metadata_Compound"]
    assert "nsc" not in set(score(cells)["metric"])


def test_a_treatment_of_two_mechanisms_is_left_out(make_embedding):
    cells = make_embedding()
    labels = cells.obs[LABEL].astype(object)
    labels[(cells.obs["Metadata_Well"] == "A03") & (cells.obs["Metadata_Plate"] == "W0_1")] = (
        "Actin"
    )
    cells.obs[LABEL] = labels
    found = row(score(cells), "nsc")
    assert found["n"] == 5
    assert "of several mechanisms: taxol 0.3" in found["note"]


def test_controls_may_be_named(make_embedding, caplog):
    cells = make_embedding()
    del cells.obs["Metadata_Control"]
    found = row(score(cells), "nsc")
    assert found["n"] == 7
    assert "of one compound only: DMSO" in found["note"]
    assert "takes negative controls for treatments" in caplog.text
    caplog.clear()
    cells.obs["Metadata_Control"] = ""
    cells.obs[LABEL] = cells.obs[LABEL].replace("Actin", "n/a")
    assert row(score(cells), "nsc")["n"] == 7
    assert "no cell is a negative control" in caplog.text
    assert f"{LABEL} of 54 cells is the text 'n/a'" in caplog.text
    cells.obs = make_embedding().obs.drop(columns="Metadata_Control")
    assert row(score(cells, controls="Metadata_Compound=DMSO"), "nsc")["n"] == 6
    rule = "control-standardise"
    assert score(cells, controls="Metadata_Compound=DMSO", normalise=rule)["value"].notna().any()
    with pytest.raises(EmbeddingError, match="there are DMSO, cytochalasin"):
        score(cells, controls="Metadata_Compound=dms0")
    with pytest.raises(EmbeddingError, match="COLUMN=VALUE"):
        score(cells, controls="DMSO")
    with pytest.raises(EmbeddingError, match="median, mean, trimmed-mean"):
        score(cells, aggregate="max")


def test_wells_count_alike_however_many_cells_they_have(make_embedding):
    """The median of three wells, one of them of many cells, is that of the wells."""
    cells = make_embedding()
    treatments = find_treatments(
        cells.obs, cells.obs[LABEL].to_numpy(dtype=str), LABEL, control_cells(cells.obs)
    )
    assert len(treatments.treatments) == 18
    values = np.array([9.0, 1, 2])[cells.obs["Metadata_Plate"].factorize()[0]][:, None]
    many = np.concatenate([np.flatnonzero(values[:, 0] == 9)] * 5 + [np.arange(144)])
    obs = cells.obs.iloc[many]
    found = find_treatments(obs, obs[LABEL].to_numpy(dtype=str), LABEL, control_cells(obs))
    profiles = aggregate(aggregate(values[many], found.wells), found.treatments)
    np.testing.assert_array_equal(profiles, 2)


@pytest.fixture(scope="module")
def ljosa(data):
    """Per-well means of CellProfiler features (Ljosa et al. 2013), with what the wells hold."""
    folder = data / "bbbc021"
    wells = pd.read_csv(folder / "ljosa2013" / "ljosa_jbiomolscreen_2013_per_well_mean.csv.gz")
    images = pd.read_csv(folder / "metadata" / "BBBC021_v1_image.csv.gz")
    mechanisms = pd.read_csv(folder / "metadata" / "BBBC021_v1_moa.csv", lineterminator="\r")
    mechanisms.columns = ["Metadata_Compound", "Metadata_Concentration", "Metadata_MOA"]
    names = {
        "Image_Metadata_Plate_DAPI": "Metadata_Plate",
        "Image_Metadata_Well_DAPI": "Metadata_Well",
        "Image_Metadata_Compound": "Metadata_Compound",
        "Image_Metadata_Concentration": "Metadata_Concentration",
    }
    layout = images[list(names)].drop_duplicates().rename(columns=names)
    wells = wells.rename(columns=lambda name: name.removeprefix("Image_"))
    table = wells.merge(layout, validate="1:1").merge(mechanisms, validate="m:1")
    assert len(table) == 632
    return table.copy().assign(
        Metadata_Batch=table["Metadata_Plate"].str.extract(r"^(Week\d+)", expand=False),
        Metadata_Control=np.where(table["Metadata_Compound"] == "DMSO", "negative", ""),
    )


@pytest.fixture(scope="module")
def ljosa_file(ljosa, tmp_path_factory):
    path = tmp_path_factory.mktemp("ljosa") / "ljosa.parquet"
    ljosa.to_parquet(path)
    return path


# Right treatments: of 103 (NSC) and of 92 (NSCB). Published for these means: 83 % NSC; an independent
# calculation gave 83 by mean, 81 by median, and 51 without normalisation. Percentiles are the published
# choice; the others were looked at among 67 rules, so that the highest are flattered by the choice: where
# the rule is chosen without the compound that it is scored on, 96 of 103 (NSC) remain, and 66 of 92 (NSCB).
FIGURES = [
    ("none", "mean", 51, 30),
    ("control-percentile", "mean", 83, 64),
    ("control-percentile", "median", 81, 68),
    ("control-robust", "median", 80, 73),
    ("standardise", "median", 91, 66),
    ("standardise+tvn", "median", 93, 69),
    ("control-robust+control-sphere", "median", 75, 77),
    ("standardise+control-sphere", "median", 96, 68),
    # Factors of the controls, 50 from the first; fitted to wells, where the paper has cells. The paper's
    # percentiles before them come first, then what else was looked at.
    ("control-percentile+factor-analysis", "mean", 82, 67),
    ("standardise+factor-analysis", "median", 93, 72),
]


@pytest.mark.parametrize(("rule", "statistic", "right", "right_across"), FIGURES)
def test_published_profiles(rule, statistic, right, right_across, ljosa):
    obs = ljosa.filter(like="Metadata_")
    X = ljosa.drop(columns=obs.columns).to_numpy(dtype=np.float32)
    controls = control_cells(obs)
    Z = normalise_features(
        X, np.arange(len(X)), rule=rule, plates=obs["Metadata_Plate"], controls=controls
    )
    treatments = find_treatments(obs, obs[LABEL].to_numpy(dtype=str), LABEL, controls)
    alone, note = treatments.match("nsc", Z, statistic=statistic)
    across, _ = treatments.match("nscb", Z, statistic=statistic)
    assert (alone.n, across.n) == (103, 92)
    # A tie that another BLAS rounds differently moves one treatment.
    assert alone.k == pytest.approx(right, abs=1)
    assert across.k == pytest.approx(right_across, abs=1)
    assert note == ""
    assert across.dropped == ("Cholesterol-lowering", "Kinase inhibitors")
    weeks = obs.groupby(["Metadata_Compound", "Metadata_Concentration"])["Metadata_Batch"].agg(set)
    keys = [name.rsplit(" ", 1) for name in treatments.names]
    sets = [weeks[compound, float(dose)] for compound, dose in keys]
    for i, j in zip(across.scored, across.neighbours, strict=True):
        assert not sets[i] & sets[j]


def test_taxol_in_all_weeks_leaves_91(data):
    """In image.csv 0.3 µM taxol lies in all ten weeks: nothing is apart from it."""
    images = pd.read_csv(data / "bbbc021" / "metadata" / "BBBC021_v1_image.csv.gz")
    mechanisms = pd.read_csv(
        data / "bbbc021" / "metadata" / "BBBC021_v1_moa.csv", lineterminator="\r"
    )
    images = images.rename(columns=lambda name: name.removeprefix("Image_Metadata_").lower())
    wells = images[["plate_dapi", "well_dapi", "compound", "concentration"]].drop_duplicates()
    wells = wells.merge(mechanisms)
    wells = wells[wells["compound"] != "DMSO"]
    grouped = wells.groupby(["compound", "concentration"])
    first = grouped["moa"].first().reset_index()
    member = batch_membership(
        grouped.ngroup(), wells["plate_dapi"].str.extract(r"^(Week\d+)", expand=False)
    )
    X = np.random.default_rng(0).normal(size=(len(first), 20))
    found = nscb(X, first["moa"], first["compound"], member)
    assert (len(wells), len(first), found.n) == (632, 103, 91)
    taxol = first.iloc[found.alone]
    assert taxol[["compound", "concentration"]].to_numpy().tolist() == [["taxol", 0.3]]


def test_the_command_prints_k_of_n(ljosa_file, tmp_path):
    done = CliRunner().invoke(
        application.app,
        ["evaluate", str(ljosa_file), "-o", str(tmp_path / "out"), "--normalise", "control-percentile"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "81 of 103 (0." in done.output
    assert "68 of 92 (0." in done.output
    assert "in one batch only: Cholesterol-lowering, Kinase inhibitors" in done.output
    scores = read_scores(tmp_path / "out" / "scores.csv")
    assert row(scores, "nsc")["value"] == pytest.approx(81 / 103)
    assert row(scores, "nscb")["n"] == 92

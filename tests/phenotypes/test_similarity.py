import sys

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cellssl.cli import application
from cellssl.errors import EmbeddingError
from cellssl.phenotypes import similarity, well_profiles
from cellssl.phenotypes.naming import name_treatments
from cellssl.phenotypes.treatments.activity import call_active


def test_treatments_of_one_class_are_neighbours(make_embedding):
    result = similarity(make_embedding(plate_effect=5))
    assert result.treatments.index[0] == "DMSO 0"
    assert set(result.treatments.index) == set(result.matrix.index) == set(result.matrix.columns)
    assert len(result.treatments) == 7
    first = result.neighbours[result.neighbours["rank"] <= 2]
    assert first.same_label.all()
    assert len(result.neighbours) == 6 * 5
    assert "DMSO 0" not in set(result.neighbours.treatment) | set(result.neighbours.neighbour)
    row = result.treatments.loc["taxol 0.3"]
    assert (row.cells, row.wells, row.plates, row.label) == (18, 3, 3, "Stabiliser")
    assert row["Metadata_Concentration"] == 0.3


def test_activity_tells_treatments_from_the_control(make_embedding):
    table = similarity(make_embedding(signal=3)).treatments
    assert table.loc["DMSO 0", "activity"] < 1
    assert table.loc["DMSO 0", "p_value"] > 0.2
    treated = table[table.control == ""]
    assert (treated.activity > 2).all()
    assert (treated.p_value <= 1 / 21).all()  # six control wells: every choice of three, 20
    quiet = similarity(make_embedding(signal=0)).treatments
    assert (quiet[quiet.control == ""].p_value > 0.05).mean() > 0.6
    assert quiet.activity.median() == pytest.approx(0.7, abs=0.35)


def test_no_p_value_is_given_that_cannot_be_small(make_embedding):
    cells = make_embedding(signal=9)
    two_plates = cells[(cells.obs["Metadata_Plate"] != "W0_1").to_numpy()].copy()
    table = similarity(two_plates).treatments  # four control wells: six pairs
    assert table["p_value"].isna().all()
    assert (table.loc[table["control"] == "", "activity"] > 2).all()


def test_profiles_equal_a_hand_made_calculation(make_embedding):
    cells = make_embedding(plate_effect=2)
    names = cells.obs["Metadata_Compound"].to_numpy(dtype=str)
    wells = well_profiles(cells, names)
    frame = pd.DataFrame(cells.X.astype(float), index=cells.obs_names)
    keys = [cells.obs["Metadata_Plate"].to_numpy(), cells.obs["Metadata_Well"].to_numpy()]
    medians = frame.groupby(keys).median()
    medians = (medians - medians.mean()) / medians.std(ddof=0)
    control = medians.index.get_level_values(1).isin(["A01", "A02"])
    plates = medians.index.get_level_values(0)
    residuals = medians[control].groupby(level=0).transform(lambda v: v - v.mean())
    variance = (residuals**2).mean() * 2
    variance = (6 * variance + 4 * variance.mean()) / 10
    centre = medians[control].groupby(level=0).mean().loc[plates].to_numpy()
    np.testing.assert_allclose(
        wells.profiles, (medians - centre) / np.sqrt(variance), rtol=1e-3, atol=1e-3
    )
    assert wells.null.shape == (6, 12)


def test_matrix_is_a_cosine(make_embedding):
    result = similarity(make_embedding())
    a, b = result.profiles.iloc[1].to_numpy(), result.profiles.iloc[4].to_numpy()
    expected = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert result.matrix.iloc[1, 4] == pytest.approx(expected)
    np.testing.assert_allclose(np.diag(result.matrix), 1)


@pytest.mark.parametrize("missing", ["", np.nan])
def test_controls_without_a_treatment_are_kept(make_embedding, missing):
    named, cells = make_embedding(), make_embedding()
    negative = (cells.obs["Metadata_Control"] == "negative").to_numpy()
    cells.obs.loc[negative, "Metadata_Compound"] = missing
    result, expected = similarity(cells), similarity(named)
    assert result.treatments.index[0] == "negative control"
    assert result.treatments["control"].tolist() == ["negative", *[""] * 6]
    assert result.treatments.loc["negative control", "cells"] == negative.sum()
    np.testing.assert_allclose(result.matrix, expected.matrix)


def test_without_controls_all_wells_are_the_reference(make_embedding):
    cells = make_embedding()
    cells.obs["Metadata_Control"] = ""
    result = similarity(cells)
    assert result.centred == "all wells of each plate"
    assert result.treatments[["activity", "p_value"]].isna().all(axis=None)
    assert (result.neighbours[result.neighbours["rank"] == 1].same_label).mean() > 0.8
    with pytest.raises(EmbeddingError, match="negative-control wells"):
        similarity(cells, normalise="controls")
    assert similarity(cells, normalise="none").centred == "nothing"


def test_a_column_of_controls_that_is_not_there_is_said(make_embedding):
    cells = make_embedding()
    with pytest.raises(
        EmbeddingError, match=r"'Metadata_Kontrol'.*did you mean 'Metadata_Control'"
    ):
        similarity(cells, control="Metadata_Kontrol")
    del cells.obs["Metadata_Control"]
    assert len(similarity(cells).treatments)


def test_a_label_may_be_named_without_its_prefix_and_must_be_there(make_embedding):
    cells = make_embedding()
    cells.obs["Metadata_Phenotype"] = cells.obs["Metadata_MOA"]
    found = similarity(cells, label="phenotype", draws=1)
    assert found.label == "Metadata_Phenotype"
    assert set(found.treatments["label"]) == {"Actin", "DMSO", "Stabiliser"}
    with pytest.raises(EmbeddingError, match=r"'Moaa'.*did you mean 'Metadata_MOA'"):
        similarity(cells, label="Moaa")


def test_controls_told_by_a_value_are_refused_with_the_column_to_make(make_embedding):
    with pytest.raises(
        EmbeddingError, match=r"Make one: cells.obs\['Metadata_Control'\] = \(cells"
    ):
        similarity(make_embedding(), control="Metadata_Compound=DMSO")


def test_the_column_of_controls_may_be_named_without_its_prefix(make_embedding):
    cells = make_embedding()
    cells.obs = cells.obs.rename(columns={"Metadata_Control": "Metadata_Kind"})
    assert (similarity(cells, control="Kind").treatments["control"] == "negative").any()


def test_a_plate_with_one_control_well_is_said(make_embedding, caplog):
    cells = make_embedding()
    lonely = (cells.obs["Metadata_Plate"] == "W0_1") & (cells.obs["Metadata_Well"] == "A02")
    similarity(cells[~lonely.to_numpy()].copy())
    assert "1 of 3 plates" in caplog.text


def test_cells_without_wells_and_names_like_gaps_are_said(make_embedding, caplog):
    cells = make_embedding()
    cells.obs["Metadata_MOA"] = cells.obs["Metadata_MOA"].replace("Actin", "nan")
    similarity(cells)
    assert "Metadata_MOA of 54 cells is the text 'nan'" in caplog.text
    assert "name no well" not in caplog.text
    similarity(ad.AnnData(cells.X, obs=cells.obs.rename(columns={"Metadata_Well": "Well"})))
    assert "name no well" in caplog.text


def test_wells_stand_in_for_compounds_and_any_column_may_be_named(make_embedding):
    cells = make_embedding()
    cells.obs["Metadata_Dose"] = cells.obs["Metadata_Concentration"]
    del cells.obs["Metadata_Compound"]
    assert len(similarity(cells).treatments) == 24
    assert "W0_1/A01" in similarity(cells).treatments.index
    assert list(similarity(cells, by="Metadata_Dose").treatments.index) == [
        "Dose 0",
        "Dose 0.3",
        "Dose 1",
        "Dose 3",
        "Dose 10",
    ]
    assert "Dose 0 A01" in name_treatments(cells.obs, ["Metadata_Dose", "Metadata_Well"])[0]
    with pytest.raises(EmbeddingError, match="did you mean 'Metadata_Dose'"):
        similarity(cells, by="Metadata_Doses")
    with pytest.raises(EmbeddingError, match="one treatment only"):
        similarity(cells, by="Metadata_Site")
    del cells.obs["Metadata_Well"]
    with pytest.raises(EmbeddingError, match="Metadata_Compound"):
        similarity(cells)


def test_what_is_measured_of_each_cell_names_no_treatment(make_embedding):
    cells = make_embedding()
    cells.obs["Area_Nucleus"] = np.linspace(50, 300, cells.n_obs)
    with pytest.raises(EmbeddingError, match="Area_Nucleus holds 144 numbers in 144 cells"):
        similarity(cells, by="Area_Nucleus")
    wells = cells[cells.obs["Metadata_Label"] == 1].copy()  # of a well, a number may be a dose
    assert len(similarity(wells, by="Area_Nucleus").treatments) > 10


def test_tables_are_saved(make_embedding, tmp_path):
    result = similarity(make_embedding())
    assert repr(result) == f"Similarity(7 treatments of 24 wells, measured from {result.centred})"
    folder = result.save(tmp_path / "new")
    matrix = pd.read_csv(folder / "similarity.csv", index_col="treatment")
    np.testing.assert_allclose(matrix, result.matrix)
    assert len(pd.read_csv(folder / "neighbours.csv")) == len(result.neighbours)
    assert list(pd.read_csv(folder / "treatments.csv").treatment) == list(result.treatments.index)
    assert pd.read_csv(folder / "profiles.csv").shape == (7, 13)


def test_a_treatment_may_be_called_as_the_tables_index_is(make_embedding, tmp_path):
    cells = make_embedding()
    cells.obs["Metadata_Compound"] = (
        cells.obs["Metadata_Compound"].astype(str).replace("DMSO", "treatment")
    )
    folder = similarity(cells, by="Compound").save(tmp_path)
    assert (
        "treatment"
        in pd.read_csv(folder / "similarity.csv", header=None, nrows=1).iloc[0, 1:].tolist()
    )


def test_replicates_come_first(make_embedding):
    result = similarity(make_embedding(signal=3))
    assert list(result.replicates.index) == list(result.treatments.index[1:])
    assert result.replicates["across_plates"].all()
    assert result.replicates["correlation"].min() > 0.5
    assert (result.replicates["wells"] == 3).all()


def test_activity_by_rank_is_told_apart_from_nothing(make_embedding):
    active = similarity(make_embedding(signal=3)).treatments
    assert (active["map"].iloc[1:] > 0.9).all()
    # Two control wells and one treated on each of three plates change places in 27 ways.
    assert (active["map_p_value"].iloc[1:] < 0.1).all()
    quiet = similarity(make_embedding(signal=0)).treatments
    assert (quiet["map_q_value"].iloc[1:] > 0.05).all()
    assert np.isnan(active.loc["DMSO 0", "map"])


def test_classes_are_consistent_only_where_they_are(make_embedding):
    found = similarity(make_embedding(signal=3)).consistency
    assert list(found.index) == ["Actin", "Stabiliser"]
    assert (found["map"] == 1).all()
    assert found["agents"].tolist() == [2, 2]
    unlabelled = similarity(make_embedding(), label=None)
    assert unlabelled.consistency.empty
    assert list(unlabelled.consistency.columns) == list(found.columns)


def test_intervals_hold_the_similarity_and_shares_add_up(make_embedding):
    result = similarity(make_embedding(signal=1), nearest=5)
    found = result.neighbours
    assert (found["low"] <= found["similarity"]).all()
    assert (found["similarity"] <= found["high"]).all()
    shares = found.groupby("treatment")["nearest_share"].sum()
    np.testing.assert_allclose(shares, 1)
    sure = similarity(make_embedding(signal=6)).neighbours
    width = (found["high"] - found["low"]).mean()
    assert (sure["high"] - sure["low"]).mean() < width


def test_intervals_equal_a_naive_bootstrap(make_embedding):
    cells = make_embedding(signal=1)
    result = similarity(cells, draws=2000)
    wells = well_profiles(cells, name_treatments(cells.obs)[0])
    rows = wells.wells.groupby("treatment").indices
    rng, values = np.random.default_rng(1), []
    for _ in range(2000):
        a, b = (
            np.median(wells.profiles[rng.choice(rows[name], 3)], axis=0)
            for name in ("taxol 3", "docetaxel 1")
        )
        values.append(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    row = result.neighbours.set_index(["treatment", "neighbour"]).loc[("taxol 3", "docetaxel 1")]
    shift = row["similarity"] - np.mean(values)
    low, high = np.clip(np.quantile(values, [0.025, 0.975]) + shift, -1, 1)
    assert row["low"] == pytest.approx(low, abs=0.03)
    assert row["high"] == pytest.approx(high, abs=0.03)


def test_one_well_has_no_interval(make_embedding):
    cells = make_embedding()
    lonely = (cells.obs["Metadata_Compound"] == "docetaxel") & (
        cells.obs["Metadata_Plate"] != "W0_1"
    )
    found = similarity(cells[~lonely.to_numpy()].copy()).neighbours
    own = found["treatment"].eq("docetaxel 1") | found["neighbour"].eq("docetaxel 1")
    assert found.loc[own, ["low", "high", "nearest_share"]].isna().all(axis=None)
    assert found.loc[~own, ["low", "high", "nearest_share"]].notna().all(axis=None)


def test_other_statistics_are_used_throughout(make_embedding):
    cells = make_embedding()
    result = similarity(cells, aggregate="mean", normalise="none")
    rows = (cells.obs["Metadata_Compound"] == "docetaxel").to_numpy()
    np.testing.assert_allclose(
        result.profiles.loc["docetaxel 1"], cells.X[rows].mean(axis=0), atol=1e-5
    )


def test_copairs_stands_beside(make_embedding, monkeypatch):
    result = similarity(make_embedding(signal=3), copairs=True)
    np.testing.assert_allclose(result.consistency["copairs_map"], result.consistency["map"])
    assert result.treatments["copairs_map"].iloc[1:].notna().all()
    assert (result.treatments["copairs_p_value"].iloc[1:] < 0.05).all()
    monkeypatch.setitem(sys.modules, "copairs.map", None)
    with pytest.raises(EmbeddingError, match=r"cellssl\[copairs\]"):
        similarity(make_embedding(), copairs=True)


def test_the_command_says_replicates_first(make_embedding, tmp_path):
    make_embedding().write_h5ad(tmp_path / "cells.h5ad")
    command = ["similarity", str(tmp_path / "cells.h5ad"), "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(application.app, [*command, "--treatment", "taxol 3"])
    assert done.exit_code == 0, done.output
    places = [
        done.output.index(word) for word in ("replicates:", "activity:", "Neighbours", "mAP ")
    ]
    assert places == sorted(places)
    made = {path.name for path in (tmp_path / "out").iterdir()}
    tables = {"replicates", "treatments", "similarity", "neighbours", "profiles", "consistency"}
    assert made == {f"{name}.csv" for name in tables} | {
        "replicates.png",
        "similarity.png",
        "activity.png",
    }
    wrong = CliRunner().invoke(application.app, [*command, "--treatment", "taxol 4"])
    assert wrong.exit_code == 1


def test_two_treatments_are_too_few_for_random_wells(make_embedding, tmp_path):
    cells = make_embedding(signal=3)
    two = cells[np.isin(name_treatments(cells.obs)[0], ["taxol 3", "latrunculin 10"])].copy()
    two.write_h5ad(tmp_path / "two.h5ad")
    command = ["similarity", str(tmp_path / "two.h5ad"), "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(application.app, command)
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert (
        "replicates: 2 treatments have several wells, and nothing says whether these are alike"
        in said
    )
    assert "are drawn from 3 treatments or more" in said


@pytest.fixture
def guides(make_embedding):
    """Cells of a genetic screen: two genes of two or three guides each, non-targeting controls."""
    cells = make_embedding(signal=3)
    obs = cells.obs
    pairs = {"taxol 0.3": "TUBB 1", "taxol 3": "TUBB 2", "docetaxel 1": "TUBB 3"}
    pairs |= {"latrunculin 1": "ACTB 1", "latrunculin 10": "ACTB 2", "cytochalasin 1": "ACTB 3"}
    names = pd.Series(name_treatments(obs)[0], obs.index).map(pairs).fillna("non-targeting 1")
    obs[["Metadata_Gene", "Metadata_Guide"]] = names.str.split(" ", expand=True)
    cells.obs = obs.drop(columns=["Metadata_Compound", "Metadata_Concentration", "Metadata_MOA"])
    return cells


@pytest.mark.parametrize("empty", [False, True])
def test_guides_of_genes_are_treatments_and_find_each_other(guides, empty):
    if empty:  # as a table for all kinds of screens has them
        guides.obs[["Metadata_Compound", "Metadata_MOA"]] = ""
    found = similarity(guides)
    assert found.treatments.index.tolist() == [
        "non-targeting 1", "ACTB 1", "ACTB 2", "ACTB 3", "TUBB 1", "TUBB 2", "TUBB 3",
    ]  # fmt: skip
    assert found.label == "Metadata_Gene"
    assert found.consistency["agents"].tolist() == [3, 3]  # guides
    assert (found.consistency["map"] == 1).all()


def test_a_guide_that_begins_with_its_gene_is_named_once():
    obs = pd.DataFrame({"Metadata_Gene": ["AB", "A", ""], "Metadata_Guide": ["AB_1", "2", "x"]})
    assert name_treatments(obs)[0].tolist() == ["AB_1", "A 2", ""]
    obs.loc[1] = ["AB_1", "AB_1"]  # a guide of another gene, by the same name
    assert name_treatments(obs)[0].tolist() == ["AB AB_1", "AB_1 AB_1", ""]
    # Sequences begin with a letter that may be a gene's name; and what has no gene is called nothing.
    sequences = {"Metadata_Gene": ["T", "AB", ""], "Metadata_Guide": ["TTGAC", "AB_1", "AB_1"]}
    assert name_treatments(pd.DataFrame(sequences))[0].tolist() == ["T TTGAC", "AB_1", ""]


def test_treatments_stand_from_dose_to_dose(make_embedding):
    cells = make_embedding()
    doses = {0.3: 0.003, 3.0: 0.01, 10.0: 0.00001}
    cells.obs["Metadata_Concentration"] = cells.obs["Metadata_Concentration"].replace(doses)
    order = similarity(cells).treatments.index.tolist()
    assert order[3:] == ["latrunculin 1e-05", "latrunculin 1", "taxol 0.003", "taxol 0.01"]


def test_the_command_and_the_report_call_the_same_treatments_active(make_embedding, tmp_path):
    path = tmp_path / "cells.h5ad"
    cells = make_embedding(signal=3)
    cells.write_h5ad(path)
    out = CliRunner().invoke(
        application.app, ["similarity", str(path), "-o", str(tmp_path / "out")]
    )
    table = similarity(cells).treatments
    told = call_active(table[table["control"] == ""])
    assert told.all()
    assert f"activity: {len(told)} of {len(told)} treatments are farther" in out.output


def test_control_wells_too_few_for_ranks_are_said(make_embedding, tmp_path):
    cells = make_embedding(signal=6)
    cells[~cells.obs["Metadata_Well"].eq("A02").to_numpy()].copy().write_h5ad(tmp_path / "c.h5ad")
    command = ["similarity", str(tmp_path / "c.h5ad"), "-o", str(tmp_path / "out")]
    said = " ".join(CliRunner().invoke(application.app, command).output.split())
    assert "mAP: wells of 6 treatments all come before the control wells, which are too few" in said
    assert "0 of 6" not in said

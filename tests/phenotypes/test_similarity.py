import numpy as np
import pandas as pd
import pytest

from cellssl.errors import EmbeddingError
from cellssl.phenotypes import similarity, well_profiles


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


def test_a_plate_with_one_control_well_is_said(make_embedding, caplog):
    cells = make_embedding()
    lonely = (cells.obs["Metadata_Plate"] == "W0_1") & (cells.obs["Metadata_Well"] == "A02")
    similarity(cells[~lonely.to_numpy()].copy())
    assert "1 of 3 plates" in caplog.text


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
    with pytest.raises(EmbeddingError, match="did you mean 'Metadata_Dose'"):
        similarity(cells, by="Metadata_Doses")
    with pytest.raises(EmbeddingError, match="one treatment only"):
        similarity(cells, by="Metadata_Site")
    del cells.obs["Metadata_Well"]
    with pytest.raises(EmbeddingError, match="Metadata_Compound"):
        similarity(cells)


def test_tables_are_saved(make_embedding, tmp_path):
    result = similarity(make_embedding())
    folder = result.save(tmp_path / "new")
    matrix = pd.read_csv(folder / "similarity.csv", index_col="treatment")
    np.testing.assert_allclose(matrix, result.matrix)
    assert len(pd.read_csv(folder / "neighbours.csv")) == len(result.neighbours)
    assert list(pd.read_csv(folder / "treatments.csv").treatment) == list(result.treatments.index)
    assert pd.read_csv(folder / "profiles.csv").shape == (7, 13)

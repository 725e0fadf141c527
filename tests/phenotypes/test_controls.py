import numpy as np
import pytest

from cellssl.errors import EmbeddingError
from cellssl.phenotypes import aggregate_profiles, dose_positions, normalise_embedding, similarity
from cellssl.phenotypes.controls import control_cells


@pytest.mark.parametrize("called", ["Negative", "negcon"])
def test_negative_controls_may_be_called_otherwise(called, make_embedding):
    cells = make_embedding()
    expected = (
        similarity(cells).treatments,
        dose_positions(cells, "Metadata_Concentration"),
        normalise_embedding(cells, "control-standardise").X,
    )
    cells.obs["Metadata_Control"] = cells.obs["Metadata_Control"].replace({"negative": called})
    assert similarity(cells).treatments.equals(expected[0])
    assert dose_positions(cells, "Metadata_Concentration").equals(expected[1])
    assert np.array_equal(normalise_embedding(cells, "control-standardise").X, expected[2])
    by_compound = normalise_embedding(cells, "control-standardise", controls="Compound=dmso").X
    assert np.array_equal(by_compound, expected[2])


def test_of_values_that_differ_by_capitals_the_one_that_was_named_counts(make_embedding):
    obs = make_embedding().obs
    obs["Metadata_Compound"] = obs["Metadata_Compound"].replace({"docetaxel": "TAXOL"})
    for name in ("taxol", "TAXOL"):
        assert set(obs["Metadata_Compound"][control_cells(obs, f"Compound={name}")]) == {name}


def test_a_column_of_controls_that_calls_none_negative_is_said(make_embedding):
    cells = make_embedding()
    said = "Metadata_Compound calls no cell 'negative'.*there are DMSO"
    with pytest.raises(EmbeddingError, match=said):
        similarity(cells, control="Compound")
    with pytest.raises(EmbeddingError, match=said):
        aggregate_profiles(cells, "treatment", control="Compound")


def test_the_usual_column_that_calls_none_negative_is_said(make_embedding, caplog):
    cells = make_embedding()
    cells.obs["Metadata_Control"] = cells.obs["Metadata_Compound"] == "DMSO"
    similarity(cells, progress=False)
    assert (
        "calls no cell 'negative' (or 'negcon'), so that none is a negative control; it has false"
        in caplog.text
    )
    caplog.clear()
    cells.obs["Metadata_Control"] = ""
    similarity(cells, progress=False)
    assert "calls no cell" not in caplog.text


def test_columns_are_found_in_any_case(make_embedding):
    cells = make_embedding()
    expected = similarity(cells, by=["Metadata_Compound", "Metadata_Concentration"]).treatments
    found = similarity(cells, by=["compound", "CONCENTRATION"], control="control").treatments
    assert found.equals(expected)
    assert control_cells(cells.obs, "compound=dmso").sum() == 36

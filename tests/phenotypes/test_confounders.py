import numpy as np
import pandas as pd
import pytest

from cellssl.phenotypes import evaluate
from cellssl.phenotypes.evaluation.confounders import find_confounders

FEW = {"label": "MOA", "progress": False, "resamples": 20, "seeds": (0,)}


def row(table, metric, embedding=None):
    found = table[table["metric"] == metric]
    found = found if embedding is None else found[found["embedding"] == embedding]
    assert len(found) == 1
    return found.iloc[0]


def spread_out(cells):
    """Lay the eight wells of each plate out over rows and columns of a plate of 24."""
    places = ["A01", "A06", "B02", "B03", "C04", "C05", "D01", "D03"]
    old = cells.obs["Metadata_Well"].str[1:].astype(int) - 1
    cells.obs["Metadata_Well"] = [places[number] for number in old]
    return cells


def test_places_are_read_from_wells():
    wells = ["A01", "B02", "b3", "H12", "P24", "AF48"]
    found = find_confounders(pd.DataFrame({"Metadata_Well": wells}))
    assert found["row"].codes.tolist() == [1, 2, 2, 8, 16, 32]
    assert found["column"].codes.tolist() == [1, 2, 3, 12, 24, 48]
    assert found["edge"].codes.tolist() == [1, 0, 0, 0, 0, 1]  # of 1,536 wells
    assert found["plate"] is None
    small = find_confounders(pd.DataFrame({"Metadata_Well": ["A01", "B02", "H12", "C11"]}))
    assert small["edge"].codes.tolist() == [1, 0, 1, 0]
    assert find_confounders(pd.DataFrame({"Metadata_Well": ["slide", "well 2"]}))["row"] is None


def test_cells_without_a_well_hide_no_other_ones_place(make_embedding):
    found = find_confounders(pd.DataFrame({"Metadata_Well": ["A01", None, "slide 2", "B12"]}))
    assert found["row"].codes.tolist() == [1, -1, -1, 2]
    assert found["column"].codes.tolist() == [1, -1, -1, 12]
    assert found["edge"].codes.tolist() == [1, -1, -1, 1]
    cells = spread_out(make_embedding(signal=0, features=6))
    cells.obs.loc[cells.obs_names[6:9], "Metadata_Well"] = None
    table = evaluate([cells], **FEW)
    for metric in ("ami_row", "linear_row", "linear_edge"):
        one = row(table, metric, "sim")
        assert one["low"] <= one["value"] <= one["high"]
        assert one["n"] == row(table, "linear_plate", "sim")["n"] - 3
        assert one["note"] == "row, column and edge without 3 cells whose well is not named as A01"
    assert row(table, "linear_plate", "sim")["note"] == ""


def test_places_of_too_few_cells_are_not_scored(make_embedding):
    """Two wells are known: some draws of treatments hold neither."""
    cells = spread_out(make_embedding(signal=0, features=6))
    cells.obs.loc[cells.obs_names[12:], "Metadata_Well"] = None
    found = row(evaluate([cells], **{**FEW, "resamples": 200}), "ami_column", "sim")
    assert np.isnan(found["value"])
    assert found["note"].endswith(
        "132 cells whose well is not named as A01: those left are too few"
    )


def test_what_kept_apart_what(make_embedding):
    found = find_confounders(make_embedding().obs)
    assert {name: one.split for name, one in found.items()} == {
        "plate": "wells", "batch": "wells", "row": "plates", "column": "plates", "edge": "plates",
    }  # fmt: skip
    one = find_confounders(make_embedding()[:48].obs)
    assert one["column"].split == "wells"


@pytest.mark.parametrize("confounder", ["plate", "row", "column", "edge"])
def test_each_confounder_is_found_where_it_is_and_only_there(confounder, make_embedding):
    cells = spread_out(make_embedding(signal=0, features=6))
    clean = evaluate([cells], **FEW)
    codes = find_confounders(cells.obs)[confounder].codes
    names, places = np.unique(codes, return_inverse=True)
    cells.X += 4 * np.random.default_rng(1).normal(size=(len(names), 6)).astype(np.float32)[places]
    dirty = evaluate([cells], **FEW)
    for table, told in ((clean, False), (dirty, True)):
        linear, ami = (row(table, f"{kind}_{confounder}") for kind in ("linear", "ami"))
        assert linear["classes"] == ami["classes"] == len(names)
        assert linear["low"] <= linear["value"] <= linear["high"]
        if told:
            assert linear["value"] > 0.9
            assert ami["value"] > 0.25
        else:
            assert linear["value"] < 2 / len(names) - 0.1 * (len(names) < 4)
            assert abs(ami["value"]) < 0.1
    assert row(dirty, f"linear_{confounder}")["split"] == (
        "wells" if confounder == "plate" else "plates"
    )


def test_a_well_is_never_told_by_its_own_cells(make_embedding):
    """Features that differ from well to well and mean nothing else tell no plate."""
    cells = spread_out(make_embedding(signal=0, features=6))
    wells = cells.obs["Metadata_Plate"] + cells.obs["Metadata_Well"]
    cells.X += (
        6 * np.random.default_rng(2).normal(size=(24, 6)).astype(np.float32)[wells.factorize()[0]]
    )
    table = evaluate([cells], **FEW)
    assert row(table, "linear_plate")["value"] < 0.6
    assert row(table, "linear_column")["value"] < 0.45


TOLD = "of the row nothing is known, no column Metadata_Well that names wells as A01"


def test_what_is_not_known_says_so(make_embedding):
    cells = make_embedding()
    table = evaluate([cells], **FEW)
    assert row(table, "linear_row")["note"] == "one row only"
    assert row(table, "ami_edge")["note"] == "all wells lie at the edge, or none"
    cells.obs["Metadata_Well"] = [f"well {n}" for n in cells.obs["Metadata_Well"]]
    del cells.obs["Metadata_Batch"]
    table = evaluate([cells], **FEW)
    assert row(table, "linear_row")["note"] == TOLD
    assert row(table, "linear_batch")["note"].endswith("nothing is known, no column Metadata_Batch")
    del cells.obs["Metadata_Well"]
    table = evaluate([cells], **FEW)
    assert "no two wells" in row(table, "linear_plate")["note"]


def test_the_number_of_cells_is_a_baseline_of_its_own(make_embedding, caplog):
    """One mechanism kills: its wells have two cells of six, and nothing else differs."""
    whole = make_embedding(signal=0)
    dead = (whole.obs["Metadata_MOA"] == "Actin") & (whole.obs["Metadata_Label"] > 2)
    cells = whole[~dead].copy()
    table = evaluate([cells], **FEW)
    assert list(table["embedding"].unique()) == ["sim", "cell-count"]
    # Balanced accuracy of three classes, of which the number tells one and leaves two.
    assert row(table, "knn", "cell-count")["value"] == pytest.approx(2 / 3, abs=0.01)
    assert row(table, "knn", "sim")["value"] < 0.55
    assert row(table, "ami_kmeans", "cell-count")["value"] > 0.5
    assert row(table, "ami_leiden", "cell-count")["note"] == "one feature has no neighbourhoods"
    # Of a sample the number is not known, unless a column says it.
    cells.uns["cellssl"]["sample"] = {"cells": len(cells), "of": 1000}
    assert "cell-count" not in set(evaluate([cells], **FEW)["embedding"])
    assert "a sample of the cells does not tell how many a well has" in caplog.text
    cells.obs["Metadata_CellCount"] = np.where(cells.obs["Metadata_MOA"] == "Actin", 20, 60)
    assert row(evaluate([cells], **FEW), "knn", "cell-count")["value"] == pytest.approx(
        2 / 3, abs=0.01
    )
    # Where all wells have equally many there is nothing to show.
    assert list(evaluate([whole], **FEW)["embedding"].unique()) == ["sim"]


def test_cells_that_name_no_well_are_not_counted_as_one(make_embedding, caplog):
    cells = make_embedding()
    names = cells.obs["Metadata_Well"].astype(object)
    cells.obs["Metadata_Well"] = names.where(names != "A08", "")
    assert list(evaluate([cells], **FEW)["embedding"].unique()) == ["sim"]
    assert "18 cells do not say how many their well has" in caplog.text
    cells.obs["Metadata_Well"] = ""  # as if there were no such column
    assert list(evaluate([cells], **FEW)["embedding"].unique()) == ["sim"]

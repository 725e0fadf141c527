"""A small experiment with everything a report may show."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from cellssl.crops import CropBatch, Crops, write_crops
from cellssl.phenotypes import Similarity
from cellssl.plates import PlateIndex

COMPOUNDS = {"DMSO": "", "taxol": "stabiliser", "epothilone": "stabiliser", "<b>x$y$</b>": "other"}


@pytest.fixture(scope="session")
def obs() -> pd.DataFrame:
    rows = []
    for i in range(80):
        compound = list(COMPOUNDS)[i % 4]
        plate, well = f"P{i % 2}", f"{'ABCD'[i % 4]}{1 + i // 8:02d}"
        rows.append((plate, well, 1, f"Week{i % 2}", compound, 1.0, COMPOUNDS[compound]))
    names = ["Plate", "Well", "Site", "Batch", "Compound", "Concentration", "MOA"]
    table = pd.DataFrame(rows, columns=[f"Metadata_{name}" for name in names])
    table["Metadata_Control"] = np.where(table["Metadata_Compound"] == "DMSO", "negative", "")
    keys = zip(table["Metadata_Plate"], table["Metadata_Well"], range(len(table)), strict=True)
    return table.set_axis([f"{plate}/{well}/1/{i}" for plate, well, i in keys])


@pytest.fixture
def embedding(obs: pd.DataFrame) -> ad.AnnData:
    rng = np.random.default_rng(0)
    adata = ad.AnnData(rng.normal(size=(len(obs), 6)).astype(np.float32), obs=obs.copy())
    adata.obsm["X_umap"] = rng.normal(size=(len(obs), 2)).astype(np.float32)
    adata.obs["kmeans"] = pd.Categorical([str(i % 3) for i in range(len(obs))])
    adata.obs["leiden"] = pd.Categorical([str(i % 5) for i in range(len(obs))])
    adata.uns["cellssl"] = {"name": "expert", "channels": ["DAPI", "Actin"], "weak": False}
    return adata


@pytest.fixture(scope="session")
def crops(obs: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Crops:
    images = np.random.default_rng(1).integers(0, 4000, (len(obs), 2, 12, 12)).astype(np.uint16)
    folder = tmp_path_factory.mktemp("crops")
    batch = CropBatch(images=images, masks=None, obs=obs)
    names = ["DAPI", "Actin"]
    path = write_crops(folder / "crops.h5ad", [batch], channels=names, size=12, provenance={})
    return Crops.open(path)


def make_similarity(matrix: np.ndarray, table: pd.DataFrame) -> Similarity:
    """Put a Similarity of phenotypes together from its numbers."""
    names = list(table.index)
    square = pd.DataFrame(matrix, index=pd.Index(names, name="treatment"), columns=names)
    rows = []
    for name in [name for name in names if table.loc[name, "control"] != "negative"]:
        near = square.loc[name].drop([name, *table.index[table["control"] == "negative"]])
        for rank, (other, value) in enumerate(near.sort_values(ascending=False).items(), 1):
            same = table.loc[name, "label"] == table.loc[other, "label"]
            rows.append((name, rank, other, value, same))
    columns = ["treatment", "rank", "neighbour", "similarity", "same_label"]
    return Similarity(
        replicates=pd.DataFrame(),
        treatments=table,
        matrix=square,
        neighbours=pd.DataFrame(rows, columns=columns),
        consistency=pd.DataFrame(),
        profiles=pd.DataFrame(),
        centred="DMSO",
        label="Metadata_MOA",
    )


@pytest.fixture
def similarity() -> Similarity:
    names = ["DMSO", "taxol 1", "taxol 3", "epothilone 1", "<b>x$y$</b> 1", "inert 1"]
    matrix = np.eye(6)
    for i, j, value in [(1, 2, 0.99), (1, 3, 0.9), (2, 3, 0.8), (1, 4, -0.5), (4, 5, 0.95)]:
        matrix[i, j] = matrix[j, i] = value
    table = pd.DataFrame(
        {
            "Metadata_Compound": ["DMSO", "taxol", "taxol", "epothilone", "<b>x$y$</b>", "inert"],
            "cells": 20,
            "wells": 4,
            "control": ["negative", "", "", "", "", ""],
            "label": ["", "stabiliser", "stabiliser", "stabiliser", "other", "other"],
            "activity": [0.2, 5.0, 6.0, 4.0, 3.0, 0.9],
            "p_value": [0.9, 0.001, 0.001, 0.001, 0.002, 0.6],
            "map": np.nan,
            "map_q_value": np.nan,
        },
        index=pd.Index(names, name="treatment"),
    )
    return make_similarity(matrix, table)


@pytest.fixture
def scores() -> pd.DataFrame:
    rows = []
    for name, value in (("expert", 0.5), ("random", 0.2), ("simple-features", 0.3)):
        for seed in (0, 1):
            for metric in ("ami_kmeans", "knn", "linear", "ami_plate", "ami_batch"):
                number = value + 0.02 * seed
                rows.append(
                    (name, "Metadata_MOA", "all", "plates", metric, number, seed, False, "")
                )
    note = "download resnet101-cd907fc2.pth and pass --weights"
    rows.append(("resnet101", "Metadata_MOA", "all", "", "ami_kmeans", np.nan, 0, False, note))
    names = ["embedding", "label", "subset", "split", "metric", "value", "seed", "weak", "note"]
    table = pd.DataFrame(rows, columns=names)
    return table.assign(low=table["value"] - 0.05, high=table["value"] + 0.05, n=80)


@pytest.fixture
def fields() -> pd.DataFrame:
    rows = [("P0", f"A{i:02d}", 1, 10 + i, 8, i, 2, "") for i in range(1, 12)]
    rows.append(("P0", "B01", 1, 0, 0, 0, 0, "P0_B01_w1.tif is truncated"))
    names = ["Metadata_Plate", "Metadata_Well", "Metadata_Site", "found", "kept"]
    return pd.DataFrame(rows, columns=[*names, "dropped_border", "dropped_small", "Problem"])


@pytest.fixture
def index() -> PlateIndex:
    table = pd.DataFrame(
        {
            "Metadata_Plate": ["P0", "P0"],
            "Metadata_Well": ["A01", "A02"],
            "Metadata_Site": [1, 1],
            "Metadata_Control": ["negative", ""],
            "Path_DAPI": ["gone_1.tif", "gone_2.tif"],
        }
    )
    problems = pd.DataFrame(
        [("P0", "A03", 1, "incomplete", "no file for Actin")],
        columns=["Metadata_Plate", "Metadata_Well", "Metadata_Site", "Problem", "Detail"],
    )
    return PlateIndex(table, ("DAPI",), problems, absent=7)

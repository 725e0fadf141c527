"""kNN and linear across batches: what remains of a score when no plate of the same week may help."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from cellssl.phenotypes import evaluate, measure_embeddings
from cellssl.scores import balanced_accuracy, knn_predict

LABEL = "Metadata_MOA"
# Class → the batches in which it was screened, two plates each.
SCREENED = {"DMSO": (0, 1, 2), "Actin": (0, 1), "Kinase": (2,)}


def build(*, biology: float, staining: float, seed: int = 0) -> ad.AnnData:
    """Simulate three batches of two plates: `biology` parts classes, `staining` parts batches."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"W{batch}_{plate}", f"A{1 + well:02}", f"W{batch}", mechanism)
        for mechanism, batches in SCREENED.items()
        for batch in batches
        for plate in range(2)
        for well in range(3)
        for _ in range(10)
    ]
    obs = pd.DataFrame(
        rows, columns=[f"Metadata_{n}" for n in ("Plate", "Well", "Batch", "MOA")]
    ).astype(str)
    obs.index = [f"cell{i}" for i in range(len(obs))]
    X = rng.normal(size=(len(obs), 12))
    for column, size in ((LABEL, biology), ("Metadata_Batch", staining)):
        codes = obs[column].factorize(sort=True)[0]
        X += size * np.random.default_rng(7).normal(size=(3, 12))[codes]
    return ad.AnnData(X.astype(np.float32), obs=obs, uns={"cellssl": {"name": "sim"}})


def score(cells: ad.AnnData, **options) -> pd.DataFrame:
    table = evaluate([cells], label=LABEL, progress=False, resamples=50, seeds=(0,), **options)
    return table[table.embedding == "sim"].set_index("metric")


def test_staining_helps_across_plates_and_not_across_batches():
    table = score(build(biology=0, staining=4))
    chance = table.loc["knn_batches"]
    # The class that lies in one batch is told by it from that batch's other plate; of the two others nothing is known.
    assert table.loc["knn", "value"] > 0.6
    assert chance["low"] <= 0.5 <= chance["high"] + 0.1
    assert chance.classes == 2
    assert chance.split == "batches"
    assert chance.note == "left out, in one batch only: Kinase"
    assert chance.n == sum(build(biology=0, staining=0).obs[LABEL] != "Kinase")


def test_biology_is_found_in_other_batches():
    table = score(build(biology=2, staining=0))
    for metric in ("knn_batches", "linear_batches"):
        assert table.loc[metric, "value"] > 0.9
        assert table.loc[metric, "low"] <= table.loc[metric, "value"] <= table.loc[metric, "high"]


def test_values_equal_independent_ones():
    cells = build(biology=0.5, staining=1)
    table = score(cells)
    X = np.asarray((cells.X - cells.X.mean(0)) / cells.X.std(0), np.float32)
    rows = (cells.obs[LABEL] != "Kinase").to_numpy()
    labels, batches = (cells.obs[name].to_numpy(str)[rows] for name in (LABEL, "Metadata_Batch"))
    expected = balanced_accuracy(labels, knn_predict(X[rows], labels, groups=batches))
    assert table.loc["knn_batches", "value"] == pytest.approx(expected, abs=1e-6)
    found = np.empty_like(labels)
    for train, held in GroupKFold(3).split(X[rows], labels, batches):
        model = LogisticRegression(C=0.02, class_weight="balanced", max_iter=1000)
        found[held] = model.fit(X[rows][train], labels[train]).predict(X[rows][held])
    expected = balanced_accuracy(labels, found)
    assert table.loc["linear_batches", "value"] == pytest.approx(expected, abs=0.02)


def test_every_class_has_its_row():
    measured = measure_embeddings([build(biology=1, staining=1)], label=LABEL, progress=False)
    rows = measured.per_class
    own = rows[rows.classifier == "knn_batches"]
    assert sorted(own["class"]) == ["Actin", "DMSO"]
    assert set(own["split"]) == {"batches"}


@pytest.mark.parametrize(
    "change",
    ["a batch is a plate", "a plate of two batches", "one batch", "no batch", "wells asked"],
)
def test_it_is_asked_only_where_batches_part_more_than_plates(change):
    cells = build(biology=1, staining=0)
    if change == "a batch is a plate":
        cells.obs["Metadata_Batch"] = cells.obs["Metadata_Plate"]
    elif change == "a plate of two batches":
        cells.obs["Metadata_Batch"] = np.where(np.arange(cells.n_obs) % 2, "first", "second")
    elif change == "one batch":
        cells.obs["Metadata_Batch"] = "W0"
    elif change == "no batch":
        del cells.obs["Metadata_Batch"]
    table = score(cells, groups="well" if change == "wells asked" else "auto")
    assert "knn_batches" not in table.index


def test_classes_that_lie_in_one_batch_each_cannot_be_scored():
    cells = build(biology=1, staining=0)
    cells = cells[cells.obs[LABEL].ne("DMSO") | cells.obs["Metadata_Batch"].eq("W2")].copy()
    row = score(cells).loc["knn_batches"]
    assert np.isnan(row["value"])
    assert row.note == "fewer than two classes lie in several batches"

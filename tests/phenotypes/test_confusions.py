import numpy as np
import pandas as pd

from cellssl.phenotypes import measure_embeddings
from cellssl.phenotypes.evaluation import confusions
from cellssl.phenotypes.evaluation.confusions import Confusions, class_rows, confusion_rows

CLASSES = np.array(["ant", "bee", "cow"])
DRAWS, UNITS = np.array([[0.5, 0.25], [1.0, 0.75]]), np.array([4, 4])
ONE = Confusions(CLASSES, np.array([[3, 1, 0], [0, 2, 2], [0, 0, 0]]), DRAWS, UNITS)
TWO = Confusions(CLASSES, np.array([[1, 1, 2], [0, 4, 0], [0, 0, 0]]), DRAWS, UNITS)


def test_rows_worked_out_by_hand():
    rows = class_rows([ONE], ["0"])
    expected = {
        "class": ["ant", "bee"],  # there is no cow to be found
        "accuracy": [0.75, 0.5],
        "low": [0.5125, 0.2625],  # 95 % of the way from the lower to the upper draw
        "high": [0.9875, 0.7375],
        "n": [4, 4],
        "seed": ["mean", "mean"],
    }
    pd.testing.assert_frame_equal(rows, pd.DataFrame(expected), check_like=True)
    counts = confusion_rows([ONE], ["0"])
    assert counts["count"].tolist() == ONE.table.ravel().tolist()
    assert counts.loc[5, ["true", "predicted", "count", "seed"]].tolist() == [
        "bee",
        "cow",
        2,
        "mean",
    ]


def test_accuracies_of_seeds_are_averaged_and_counts_are_kept_apart():
    rows = class_rows([ONE, TWO], ["0", "1"]).set_index(["seed", "class"])["accuracy"]
    assert rows["mean"].tolist() == [0.5, 0.75]
    assert rows["0"].tolist() == [0.75, 0.5]
    assert rows["1"].tolist() == [0.25, 1.0]
    counts = confusion_rows([ONE, TWO], ["0", "1"])
    assert counts.groupby("seed")["count"].sum().to_dict() == {"0": 8, "1": 8}


def test_of_very_many_classes_pairs_that_never_occur_have_no_row(monkeypatch):
    every = confusion_rows([ONE], ["0"])
    monkeypatch.setattr(confusions, "MOST_CLASSES", len(ONE.classes) - 1)
    found = confusion_rows([ONE], ["0"])
    there = every[(every["count"] > 0) | (every["true"] == every["predicted"])]
    assert len(there) < len(every)
    pd.testing.assert_frame_equal(found, there.reset_index(drop=True))


def test_tables_agree_with_the_scores_of_cells(make_embedding, tmp_path):
    runs = [make_embedding("run", seed=s, signal=1) for s in range(2)]
    for number, run in enumerate(runs):
        elsewhere = {"columns": ["Metadata_Compound"], "plates": ["another plate"]}
        run.uns["cellssl"] |= {"seed": number, "weak": True, "labels_used": elsewhere}
    measured = measure_embeddings(
        [*runs, make_embedding("base", signal=0.5)],
        label="MOA",
        subsets={"two": ["Actin", "DMSO"]},
        absent={"resnet101": "weights are not at hand"},
        progress=False,
        resamples=5,
        seeds=(0,),
    )
    measured.save(tmp_path)
    text = {"seed": str}
    classes = pd.read_csv(tmp_path / "per_class.csv", dtype=text)
    counts = pd.read_csv(tmp_path / "confusion.csv", dtype=text)
    scores = measured.scores.rename(columns={"metric": "classifier"})
    keys = ["embedding", "subset", "classifier", "seed"]
    scores = scores[scores["classifier"].isin(["knn", "linear"]) & scores["value"].notna()]
    expected = scores.set_index(keys)["value"].sort_index()
    assert len(expected) == 16  # (mean and two seeds, base) of two subsets and two classifiers
    found = classes.groupby(keys)["accuracy"].mean().sort_index()
    pd.testing.assert_series_equal(found, expected, check_names=False)
    assert set(classes["split"]) == {"plates"}
    assert set(counts.groupby(keys)["count"].sum()) == {144, 90}
    assert set(counts.loc[counts["embedding"] == "run", "seed"]) == {"0", "1"}
    assert classes.groupby("embedding")["weak"].all().to_dict() == {"base": False, "run": True}
    right = counts[counts["true"] == counts["predicted"]].set_index([*keys, "true"])["count"]
    own = classes.rename(columns={"class": "true"}).set_index([*keys, "true"])
    own = own.loc[right.index]
    np.testing.assert_allclose(own["accuracy"] * own["n"], right)


def test_without_groups_the_tables_are_empty_but_there(make_embedding, tmp_path):
    cells = make_embedding()
    del cells.obs["Metadata_Plate"], cells.obs["Metadata_Well"]
    measured = measure_embeddings([cells], label="MOA", progress=False, resamples=5, seeds=(0,))
    measured.save(tmp_path)
    assert pd.read_csv(tmp_path / "per_class.csv").empty
    assert list(measured.confusions.columns)[-4:] == ["predicted", "count", "seed", "weak"]

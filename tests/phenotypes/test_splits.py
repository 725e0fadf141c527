"""Images with a usual test set: learnt from in one direction, scored on the test images alone."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from cellssl.errors import EmbeddingError
from cellssl.phenotypes import METRICS, evaluate, measure_embeddings, usual_label

TOP1 = {"knn_top1", "linear_top1"}


def pictures(train=120, test=60, *, seed=0, signal=2.0, tested="test", sizes=(1, 1, 4)):
    """Simulate classes of unequal size, and two pictures that are neither train nor test."""
    rng = np.random.default_rng(seed)
    classes = np.repeat(["ant", "bee", "cow"], sizes)
    labels = rng.choice(classes, train + test + 2)
    parts = ["train"] * train + [tested] * test + ["unlabelled"] * 2
    names = [f"set/{part}/{number}" for number, part in enumerate(parts)]
    columns = {"Metadata_Plate": "set", "Metadata_Split": parts, "Metadata_Class": labels}
    obs = pd.DataFrame(columns, index=names)
    centres = np.random.default_rng(9).normal(size=(3, 8)) * signal
    codes = np.searchsorted(["ant", "bee", "cow"], labels)
    X = centres[codes] + rng.normal(size=(len(labels), 8))
    return ad.AnnData(X.astype(np.float32), obs=obs, uns={"cellssl": {"name": "pictures"}})


def score(cells, **options):
    return evaluate([cells], progress=False, resamples=50, seeds=(0,), **options)


def row(table, metric):
    return table[table["metric"] == metric].iloc[0]


def test_the_test_set_is_found_and_scored_alone():
    cells = pictures()
    measured = measure_embeddings([cells], progress=False, resamples=50, seeds=(0,))
    table = measured.scores
    assert set(table["metric"]) == set(METRICS) | TOP1
    assert set(table["label"]) == {"Metadata_Class"}
    assert (table["n"] == 60).all()
    classified = table["metric"].isin({"knn", "linear"} | TOP1)
    assert set(table.loc[classified, "split"]) == {"test set"}
    assert set(table.loc[~classified, "split"]) == {"none"}
    for metric in ("ami_kmeans", "knn", "linear", *TOP1):
        found = row(table, metric)
        assert found["value"] > 0.6
        assert found["low"] <= found["value"] <= found["high"]
    assert row(table, "ami_plate")["note"] == "one plate only"
    assert measured.counts["scored"] == 60
    assert measured.counts["training"] == 120


def test_clusters_are_those_of_the_test_images_alone():
    """With more features than components, training images would turn the components."""
    cells = pictures()
    noise = np.random.default_rng(1).normal(size=(182, 60))
    noise[:120] *= 10
    wide = ad.AnnData(np.hstack([cells.X, noise]).astype(np.float32), obs=cells.obs, uns=cells.uns)
    both, alone = (score(one, normalise="none") for one in (wide, wide[120:180].copy()))
    for metric in ("ami_kmeans", "ami_leiden", "silhouette"):
        assert row(both, metric)["value"] == row(alone, metric)["value"]


def test_validation_images_stand_in_where_there_is_no_test():
    assert set(score(pictures(tested="val"))["split"]) == {"validation set", "none"}
    cells = pictures()
    cells.obs.iloc[:20, 1] = "val"
    table = score(cells)
    assert set(table["split"]) == {"test set", "none"}
    assert (table["n"] == 60).all()


def test_labels_of_test_images_do_not_reach_the_classifiers():
    """Test pictures in twos, alike but for their random labels: neighbours among them would tell."""
    cells = pictures(signal=0)
    X = cells.X.copy()
    X[121:180:2] = X[120:180:2]
    labels = cells.obs["Metadata_Class"].to_numpy(dtype=object)
    labels[121:180:2] = labels[120:180:2]
    twins = ad.AnnData(X, obs=cells.obs.assign(Metadata_Class=labels), uns=cells.uns)
    table = score(twins)
    assert row(table, "knn")["value"] < 0.5
    assert row(table, "linear")["value"] < 0.5
    twins.obs["Metadata_Picture"] = np.arange(len(twins)).astype(str)
    assert row(score(twins, groups="Picture"), "knn")["value"] > 0.5  # there they do tell


def test_predictions_do_not_depend_on_test_labels_nor_on_other_parts():
    cells = pictures()
    other = cells.copy()
    labels = other.obs["Metadata_Class"].to_numpy(dtype=object)
    labels[120:180] = np.roll(labels[120:180], 7)
    labels[180:] = "dodo"
    other.obs["Metadata_Class"] = labels
    counts = [
        measure_embeddings([one], progress=False, resamples=5, seeds=(0,))
        .confusions.groupby(["classifier", "predicted"])["count"]
        .sum()
        for one in (cells, other)
    ]
    pd.testing.assert_series_equal(*counts)


def test_plain_accuracy_counts_images_and_balanced_accuracy_classes(tmp_path):
    table = score(pictures(signal=0.7), out=tmp_path)
    classes = pd.read_csv(tmp_path / "per_class.csv")
    for name, own in classes.groupby("classifier"):
        assert own["accuracy"].mean() == pytest.approx(row(table, name)["value"])
        right = (own["accuracy"] * own["n"]).sum() / own["n"].sum()
        assert right == pytest.approx(row(table, f"{name}_top1")["value"])
        assert right != pytest.approx(own["accuracy"].mean())


def test_a_class_that_is_not_trained_on_is_named_and_one_that_is_not_tested_can_mislead():
    cells = pictures()
    labels = cells.obs["Metadata_Class"].to_numpy(dtype=object)
    labels[:120][labels[:120] == "bee"] = "wasp"
    cells.obs["Metadata_Class"] = labels
    measured = measure_embeddings([cells], progress=False, resamples=5, seeds=(0,))
    found = row(measured.scores, "linear")
    told = "1 of 3 classes count 0, cannot be found, not in the training set: bee"
    assert found["note"] == told
    assert found["classes"] == 3
    classes = measured.per_class.query("classifier == 'linear'").set_index("class")["accuracy"]
    assert list(classes.index) == ["ant", "bee", "cow"]
    assert classes["bee"] == 0
    counts = measured.confusions.query("classifier == 'linear' and true == 'bee'")
    assert counts.set_index("predicted").loc["wasp", "count"] > 0


def test_groups_that_are_given_override_the_test_set():
    cells = pictures()
    cells.obs["Metadata_Plate"] = np.where(np.arange(182) % 2, "a", "b")
    assert "test set" in set(score(cells)["split"])
    assert "test set" in set(score(cells, groups="split")["split"])
    table = score(cells, groups="plate")
    assert set(table["split"]) == {"plates", "none"}
    assert set(table["metric"]) == set(METRICS)
    assert (table["n"] == 182).all()


def test_one_part_alone_is_no_split():
    cells = pictures()
    cells.obs["Metadata_Tested"] = cells.obs["Metadata_Split"] == "test"
    untaught = row(score(cells, where="Metadata_Tested"), "knn")
    assert np.isnan(untaught["value"])
    assert untaught["note"].endswith("no training and test parts")
    cells = cells[:120].copy()
    assert np.isnan(row(score(cells), "knn")["value"])
    with pytest.raises(EmbeddingError, match=r"'train' of some cells.*say 'train'"):
        score(cells, groups="split")
    del cells.obs["Metadata_Split"]
    with pytest.raises(EmbeddingError, match="training and test parts"):
        score(cells, groups="split")


def test_subsets_are_learnt_from_their_own_classes():
    table = score(pictures(), subsets={"insects": ["ant", "bee"]})
    own = table[table["subset"] == "insects"]
    assert set(own["classes"]) == {2}
    assert set(own["metric"]) == set(METRICS) | TOP1


def test_class_is_the_last_of_the_usual_labels():
    obs = pictures().obs
    assert usual_label(obs) == "Metadata_Class"
    assert usual_label(obs.assign(Metadata_Compound=obs["Metadata_Class"])) == "Metadata_Compound"

"""Predicted classes are scored as embeddings are: the same cells, subsets and draws."""

import numpy as np
import pytest

from cellssl.phenotypes.evaluation.predictions import measure_predictions
from cellssl.phenotypes.evaluation.tasks import build_tasks
from cellssl.scores import ami, interval

CLASSES = ["Actin", "DMSO", "Stabiliser"]


def measured(obs, predicted, **options):
    tasks, counts = build_tasks(
        obs, "Metadata_MOA", groups="plate", controls=np.zeros(len(obs), bool), **options
    )
    return measure_predictions(
        tasks, predicted, CLASSES, label="Metadata_MOA", name="told", counts=counts, note="told"
    )


def one_hot(labels):
    return (np.asarray(labels)[:, None] == np.array(CLASSES)).astype(float)


def row(scores, metric, subset="all", seed="mean"):
    own = (scores["metric"] == metric) & (scores["subset"] == subset) & (scores["seed"] == seed)
    assert own.sum() == 1
    return scores[own].iloc[0]


def test_right_answers_are_all_there_is(make_embedding):
    obs = make_embedding().obs
    scores = measured(obs, {"0": one_hot(obs["Metadata_MOA"])}).scores
    assert set(scores["metric"]) == {"ami_predictions", "predictions"}
    assert scores["value"].tolist() == pytest.approx([1, 1])
    assert scores["weak"].all()
    assert (scores["note"] == "told").all()
    assert (scores["normalisation"] == "none").all()
    assert (scores["split"] == "plates").all()


def test_values_draws_and_seeds(make_embedding):
    obs = make_embedding().obs
    truth = obs["Metadata_MOA"].to_numpy().astype(str)
    rng = np.random.default_rng(0)
    said = {s: np.where(rng.random(len(obs)) < 0.6, truth, rng.permutation(truth)) for s in "01"}
    found = measured(obs, {seed: one_hot(names) for seed, names in said.items()})
    tasks, _ = build_tasks(obs, "Metadata_MOA", groups="plate", controls=np.zeros(len(obs), bool))
    balanced = {
        s: np.mean([(names == truth)[truth == c].mean() for c in CLASSES])
        for s, names in said.items()
    }
    for seed, names in said.items():
        own = row(found.scores, "predictions", seed=seed)
        assert own["value"] == pytest.approx(balanced[seed])
        draws = tasks[0].resamples.balanced_accuracy(truth, names)
        low, high = interval(balanced[seed], draws)
        assert (own["low"], own["high"]) == pytest.approx((low, high))
        assert row(found.scores, "ami_predictions", seed=seed)["value"] == pytest.approx(
            ami(truth, names)
        )
    assert row(found.scores, "predictions")["value"] == pytest.approx(
        np.mean(list(balanced.values()))
    )
    counts = found.confusions.set_index(["seed", "true", "predicted"])["count"]
    assert counts["0", "Actin", "DMSO"] == ((truth == "Actin") & (said["0"] == "DMSO")).sum()
    accuracy = found.per_class.set_index(["seed", "class"])["accuracy"]
    assert accuracy["1", "DMSO"] == pytest.approx((said["1"] == truth)[truth == "DMSO"].mean())


def test_a_subset_chooses_among_its_own_classes(make_embedding):
    obs = make_embedding().obs
    values = one_hot(obs["Metadata_MOA"]) * 0.4
    values[:, CLASSES.index("Stabiliser")] = 0.5  # what all are taken for, where it may be
    scores = measured(obs, {"0": values}, subsets={"two": ["Actin", "DMSO"]}).scores
    assert row(scores, "predictions")["value"] == pytest.approx(1 / 3)
    assert row(scores, "predictions", "two")["value"] == pytest.approx(1)


def test_a_class_that_nobody_knew_counts_as_nothing_and_is_named(make_embedding):
    obs = make_embedding().obs
    values = one_hot(obs["Metadata_MOA"])
    values[obs["Metadata_MOA"] == "Actin", CLASSES.index("Actin")] = np.nan
    scores = measured(obs, {"0": values}).scores
    own = row(scores, "predictions")
    assert own["value"] == pytest.approx(2 / 3)
    assert own["note"] == "told; cannot be found, not among the labels told: Actin"

"""What two embeddings differ by in each class: against loops, and on planted differences."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cellssl.phenotypes import Measurement, Measurements, differences_between, measure_embeddings
from cellssl.phenotypes.evaluation import measurements
from cellssl.phenotypes.evaluation.confusions import Confusions, repetitions
from cellssl.scores import confusion, draw_resamples, joint_intervals

CLASSES = np.array(["ant", "bee", "cow"])
WELLS = np.repeat(np.arange(24), 5)
LABELS = CLASSES[np.repeat(np.arange(3), 40)]


def predict(shares, seed):
    """Predictions that are right as often as told, class by class."""
    rng = np.random.default_rng(seed)
    right = rng.random(120) < np.repeat(shares, 40)
    return np.where(right, LABELS, np.where(LABELS == "ant", "bee", "ant"))


def measured(predictions, draws):
    """Put the measurements of several embeddings and seeds together: (name, seed) → (N,)."""
    entries = []
    for (name, seed), own in predictions.items():
        by_class = draws.class_accuracies(LABELS, own)
        units = draws.class_units(LABELS)
        found = Confusions(CLASSES, confusion(LABELS, own, CLASSES), by_class, units)
        score = draws.balanced_accuracy(LABELS, own)
        value = found.accuracies.mean()
        entry = Measurement(
            name, seed, "all", "wells", "knn", False, value, score, 120, 3, "", found
        )
        entries.append(entry)
    return Measurements(tuple(entries), "Metadata_MOA", "standardise", {})


def recall(own, cells, name):
    """Share of a class among some cells, which may repeat, by a loop."""
    there = [cell for cell in cells if LABELS[cell] == name]
    return sum(own[cell] == name for cell in there) / len(there)


def test_differences_in_classes_are_as_worked_out_by_loops():
    draws = draw_resamples(LABELS, [WELLS], count=30)
    one, other = predict([0.9, 0.5, 0.5], 0), predict([0.3, 0.5, 0.6], 1)
    table = measured({("a", ""): one, ("b", ""): other}, draws).class_differences
    assert table["class"].tolist() == CLASSES.tolist()
    loops = np.zeros((30, 3))
    for number in range(30):
        cells = np.repeat(np.arange(120), draws.weights[number][draws.units].astype(int))
        for place, name in enumerate(CLASSES):
            loops[number, place] = recall(one, cells, name) - recall(other, cells, name)
    expected = [recall(one, range(120), n) - recall(other, range(120), n) for n in CLASSES]
    np.testing.assert_allclose(table["difference"], expected)
    low, high = joint_intervals(expected, loops, [8, 8, 8])
    np.testing.assert_allclose(table[["low", "high"]].to_numpy().T, [low, high])
    assert table["apart"].tolist() == ((low > 0) | (high < 0)).tolist()
    assert table["apart"][0]


def test_seeds_are_paired_and_widen_the_intervals():
    draws = draw_resamples(LABELS, [WELLS], count=50)
    shares = {"a": [0.5, 0.5, 0.5], "b": [0.5, 0.5, 0.5]}
    same = {
        (name, str(seed)): predict(own, seed) for name, own in shares.items() for seed in range(3)
    }
    table = measured(same, draws).class_differences
    assert (table[["difference", "low", "high"]].to_numpy() == 0).all()  # seed by seed, nothing
    other = {(name, f"{name}{seed}"): own for (name, seed), own in same.items()}
    table = measured(other, draws).class_differences
    np.testing.assert_allclose(table["difference"], 0, atol=1e-12)
    assert (table["high"] - table["low"] > 0.01).all()  # other seeds: their spread counts


def test_seeds_are_matched_by_name_whatever_their_order():
    draws = draw_resamples(LABELS, [WELLS], count=50)
    own = {str(seed): predict([0.5, 0.7, 0.6], seed) for seed in range(3)}
    tables = [
        measured({("a", s): own[s] for s in "012"} | {("b", s): own[s] for s in order}, draws)
        for order in ("012", "201")
    ]
    for table in tables:
        assert (table.class_differences[["difference", "low", "high"]].abs() < 1e-12).all(axis=None)
        assert (table.differences()[["low", "high"]].abs() < 1e-12).all(axis=None)


def test_many_embeddings_are_each_summed_up_once_behind_a_bar(monkeypatch):
    draws = draw_resamples(LABELS, [WELLS], count=9)
    runs = {(name, ""): predict([0.5, 0.7, 0.6], seed) for seed, name in enumerate("abcde")}
    bars, summed = [], []

    def track(items, description, *, total, shown):
        bars.append((total, shown))
        return items

    def put_together(*own):
        summed.append(own)
        return repetitions(*own)

    monkeypatch.setattr(measurements, "_MANY", 9)
    monkeypatch.setattr(measurements, "track", track)
    monkeypatch.setattr(measurements, "repetitions", put_together)
    found = replace(measured(runs, draws), progress=True)
    assert len(found.class_differences) == 30
    assert len(summed) == 5
    assert len(found.differences()) == 10
    assert bars == [(10, True)] * 2


def test_two_trainings_are_too_few_to_claim_what_varies_over_them():
    """The difference is 0.2 and 0.6: Student's quantile of one degree of freedom says it all."""
    draws = draw_resamples(LABELS, [WELLS], count=50)
    base, shares = predict([0.2, 0.5, 0.5], 0), {"0": 0.4, "1": 0.8}
    runs = {("a", s): predict([share, 0.5, 0.5], 3) for s, share in shares.items()}
    runs |= {("b", s): base for s in shares}
    rows = measured(runs, draws).class_differences.set_index("class")
    assert rows.loc["ant", "difference"] > 0.3
    assert not rows.loc["ant", "apart"]


def test_a_planted_difference_is_found_and_an_absent_one_is_not_claimed(make_embedding):
    good, blind = make_embedding("good"), make_embedding("blind", seed=1)
    for cells in (good, blind):  # wells are resampled then, of which there are more
        del cells.obs["Metadata_Compound"], cells.obs["Metadata_Concentration"]
    actin = (blind.obs["Metadata_MOA"] == "Actin").to_numpy()
    rng = np.random.default_rng(5)
    # The second sees nothing in cells of this class: they look like untreated ones.
    blind.X[actin] = rng.normal(size=(actin.sum(), blind.n_vars))
    found = measure_embeddings([good, blind], label="MOA", progress=False, seeds=(0,))
    table = found.class_differences
    assert set(table["classifier"]) == {"knn", "linear"}
    for _, own in table.groupby("classifier"):
        rows = own.set_index("class")
        assert rows.loc["Actin", "difference"] > 0.3
        assert rows.index[rows["apart"]].tolist() in (["Actin"], ["Actin", "DMSO"])
        assert not rows.loc["Stabiliser", "apart"]


def test_nothing_is_claimed_of_two_embeddings_that_are_alike(make_embedding):
    claims = 0
    for seed in range(8):
        pair = [make_embedding(name, seed=2 * seed + n, signal=1) for n, name in enumerate("ab")]
        found = measure_embeddings(
            pair, label="MOA", progress=False, seeds=(0,), resamples=200
        ).class_differences
        claims += found.groupby("classifier")["apart"].any().sum()
    assert claims <= 1  # of 16


def test_a_table_is_written_and_read_from_either_side(make_embedding, tmp_path):
    pair = [make_embedding("a"), make_embedding("b", seed=1, signal=0.5)]
    found = measure_embeddings(pair, label="MOA", progress=False, seeds=(0,), resamples=50)
    found.save(tmp_path)
    table = pd.read_csv(tmp_path / "class_differences.csv")
    there, back = (differences_between(table, *names) for names in ("ab", "ba"))
    assert len(there) == len(back) == 6
    np.testing.assert_array_equal(back["difference"], -there["difference"])
    np.testing.assert_array_equal(back["low"], -there["high"])
    assert (back["embedding_a"] == "b").all()
    assert differences_between(table, "a", "c").empty
    means = found.differences().query("metric == 'knn'")["difference"].iloc[0]
    assert there.query("classifier == 'knn'")["difference"].mean() == pytest.approx(means)


def test_an_embedding_that_is_absent_has_no_differences(make_embedding):
    found = measure_embeddings(
        [make_embedding("a")],
        label="MOA",
        progress=False,
        seeds=(0,),
        resamples=5,
        absent={"resnet101": "no weights"},
    )
    assert found.class_differences.empty
    assert "apart" in found.class_differences

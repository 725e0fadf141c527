"""Mean average precision against scikit-learn, copairs and a naive loop, and as a test of nothing."""

import numpy as np
import pandas as pd
import pytest
from copairs.map import (
    average_precision as copairs_precision,
    mean_average_precision as copairs_mean,
)
from scipy.stats import kstest
from sklearn.metrics import average_precision_score

from cellssl.errors import EmbeddingError
from cellssl.scores import (
    activity_precision,
    consistency_precision,
    precision,
)


def screen(seed=0, *, treatments=12, plates=3, controls=4, features=20, signal=0.0, plate=0.0):
    """One well of each treatment on every plate, and control wells."""
    rng = np.random.default_rng(seed)
    codes = np.r_[np.tile(np.arange(treatments), plates), np.full(plates * controls, -1)]
    where = np.r_[np.repeat(np.arange(plates), treatments), np.repeat(np.arange(plates), controls)]
    X = rng.normal(size=(len(codes), features)) + plate * rng.normal(size=(plates, features))[where]
    X += signal * np.where(codes[:, None] < 0, 0, rng.normal(size=(treatments, features))[codes])
    return X, codes, codes < 0, where


def precision_of(similarity, positive, ranked=None):
    """Average precision of one query, as activity asks for it."""
    others = np.ones(len(similarity), bool) if ranked is None else np.array(ranked)
    alike = np.flatnonzero(positive)[None]
    return precision._precisions_among(np.array(similarity), others, alike)[0]


def test_average_precision_is_scikit_learns():
    rng = np.random.default_rng(0)
    for _ in range(20):
        similarity, positive = rng.normal(size=30), rng.random(30) < 0.3
        expected = average_precision_score(positive, similarity)
        assert precision_of(similarity, positive) == pytest.approx(expected)
        relevant = positive[np.argsort(-similarity)][None]
        assert precision._precisions(relevant)[0] == pytest.approx(expected)
    assert precision_of([1, 1, 0], [True, False, False]) == 0.5  # of equals the like come last
    assert np.isnan(precision_of([1, 2], [True, False], ranked=[False, True]))
    assert np.isnan(precision_of([1, 2], [True, True]))


def centred(X, plates):
    out = X.copy()
    for plate in np.unique(plates):
        out[plates == plate] -= X[plates == plate].mean(axis=0)
    return out / np.linalg.norm(out, axis=1, keepdims=True)


def test_activity_equals_a_naive_loop():
    X, codes, controls, plates = screen(signal=0.5)
    found = activity_precision(X, codes, controls, plates, permutations=5)
    for t in range(12):
        rows = np.flatnonzero((codes == t) | controls)
        unit, where, own = centred(X[rows], plates[rows]), plates[rows], codes[rows] == t
        values = []
        for i in np.flatnonzero(own):
            others = np.flatnonzero(where != where[i])
            values.append(average_precision_score(own[others], unit[others] @ unit[i]))
        assert found.value[t] == pytest.approx(np.mean(values))


def test_a_treatment_on_very_many_plates_is_ranked_on_some(monkeypatch, caplog):
    X, treatments, controls, plates = screen(plates=12, signal=1.0)
    most = 3 * (4 + 1)  # wells of three plates: four controls, one of the treatment
    few = (treatments == 0) & (plates > 1)
    treatments = np.where(few, -1, treatments)
    whole = activity_precision(X, treatments, controls, plates, permutations=20)
    assert not caplog.text
    ranked = []
    real = precision._mean_precisions
    monkeypatch.setattr(
        precision, "_mean_precisions", lambda *of: ranked.append(len(of[0])) or real(*of)
    )
    monkeypatch.setattr(precision, "MOST_WELLS", most)
    found = activity_precision(X, treatments, controls, plates, permutations=20)
    assert ranked == [10] + [most] * 11
    assert found.value[0] == whole.value[0]
    assert found.p_value[0] == whole.p_value[0]
    assert np.abs(found.value[1:] - whole.value[1:]).mean() < 0.2
    assert "11 treatments lie on plates with more than 15 wells to rank" in caplog.text


def test_activity_on_one_plate_equals_copairs():
    """With one treatment on one plate both rank the same wells."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(12, 6))
    X[:4] += rng.normal(size=6)
    codes, controls = np.r_[np.zeros(4, int), np.full(8, -1)], np.arange(12) >= 4
    found = activity_precision(X, codes, controls, permutations=5)
    meta = pd.DataFrame({"t": codes, "reference": np.where(controls, np.arange(12), -1)})
    unit = X - X.mean(axis=0)
    both = ["t", "reference"]
    ranked = copairs_precision(meta, unit, both, [], [], both, progress_bar=False)
    assert found.value[0] == pytest.approx(ranked["average_precision"][~controls].mean())


@pytest.mark.parametrize(("plates", "controls"), [(3, 6), (6, 2), (4, 4)])
def test_inactive_treatments_have_uniform_p_values(plates, controls):
    """Whatever the plates look like. With few wells p-values come in steps, and never too low."""
    options = {"plates": plates, "controls": controls, "plate": 3.0}
    p_values = np.concatenate(
        [
            activity_precision(*screen(s, **options), permutations=200, seed=s).p_value
            for s in range(30)
        ]
    )
    # No larger a share below any level than the level (one-sided, 360 treatments).
    assert kstest(p_values, "uniform", alternative="greater").pvalue > 0.01
    assert abs(p_values.mean() - 0.5) < 0.08


def test_wells_that_are_all_alike_rank_as_their_permutations_do():
    """Among equals the like come last, also where labels are permuted."""
    _, codes, controls, plates = screen()
    found = activity_precision(np.ones((len(codes), 4)), codes, controls, plates, permutations=9)
    np.testing.assert_allclose(found.value, found.expected)
    assert (found.p_value == 1).all()


def test_permuted_labels_of_an_active_screen_have_uniform_p_values():
    p_values = []
    for seed in range(20):
        X, codes, controls, plates = screen(seed, signal=2.0)
        rng = np.random.default_rng(seed)
        for plate in range(3):
            rows = np.flatnonzero(plates == plate)
            codes[rows] = rng.permutation(codes[rows])
        controls = codes < 0
        p_values.append(activity_precision(X, codes, controls, plates, permutations=200).p_value)
    assert kstest(np.concatenate(p_values), "uniform", alternative="greater").pvalue > 0.01


def test_two_inactive_wells_of_one_plate_do_not_share_the_controls_noise():
    """Centred on two control wells alone, 40 replicates of nothing would all look alike."""
    p_values = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X, codes = rng.normal(size=(14, 40)), np.r_[np.repeat(np.arange(3), 4), -1, -1]
        p_values.append(activity_precision(X, codes, codes < 0, permutations=200).p_value)
    assert (np.concatenate(p_values) <= 0.1).mean() < 0.17


def test_active_treatments_are_found():
    X, codes, controls, plates = screen(signal=2.0, controls=6)
    found = activity_precision(X, codes, controls, plates)
    assert (found.value > 0.9).all()
    assert (found.q_value < 0.05).all()
    assert (found.q_value >= found.p_value).all()
    assert (found.expected < 0.4).all()


def test_treatments_that_cannot_be_ranked_have_no_answer():
    X, codes, controls, plates = screen(plates=2)
    codes[codes == 3] = np.array([3, -1])
    found = activity_precision(X, codes, controls, plates)
    assert np.isnan(found.value[3])
    assert np.isnan(found.q_value[3])
    assert np.isfinite(found.value[[0, 1, 2, 4]]).all()
    assert np.isnan(activity_precision(X, codes, controls & False, plates).value).all()
    with pytest.raises(EmbeddingError, match="treatment, control and plate for each"):
        activity_precision(X, codes[:5], controls, plates)


LABELS = np.repeat(np.arange(6), 6)
COMPOUNDS = np.repeat(np.arange(18), 2)


def test_consistency_equals_copairs():
    X = np.random.default_rng(0).normal(size=(36, 8)) + np.eye(8)[LABELS % 8]
    found = consistency_precision(X, LABELS, COMPOUNDS, permutations=5)
    meta = pd.DataFrame({"label": LABELS, "compound": COMPOUNDS})
    ranked = copairs_precision(meta, X, ["label"], ["compound"], [], ["label"], progress_bar=False)
    expected = ranked.groupby("label")["average_precision"].mean()
    np.testing.assert_allclose(found.value, expected, rtol=1e-6)


def test_permuted_labels_are_not_consistent():
    p_values = np.concatenate(
        [
            consistency_precision(
                np.random.default_rng(s).normal(size=(36, 8)), LABELS, COMPOUNDS, permutations=200
            ).p_value
            for s in range(40)
        ]
    )
    assert kstest(p_values, "uniform").pvalue > 0.01


def test_doses_of_a_compound_are_no_evidence_for_its_label(tmp_path):
    """Doses alike, compounds unrelated: copairs takes every dose for a witness of its own."""
    rng = np.random.default_rng(0)
    labels, compounds = np.repeat(np.arange(4), 10), np.repeat(np.arange(8), 5)
    meta = pd.DataFrame({"label": labels, "compound": compounds})
    rules = (["label"], ["compound"], [], ["label"])
    quiet = {"progress_bar": False, "cache_dir": tmp_path, "max_workers": 1}
    ours, theirs = [], []
    for _ in range(30):
        X = rng.normal(size=(8, 10))[compounds] + 0.1 * rng.normal(size=(40, 10))
        ours.append(consistency_precision(X, labels, compounds, permutations=200).p_value)
        ranked = copairs_precision(meta, X, *rules, progress_bar=False)
        means = copairs_mean(ranked, ["label"], null_size=200, threshold=0.05, seed=0, **quiet)
        theirs.append(means["p_value"])
    assert (np.concatenate(ours) <= 0.05).mean() < 0.1
    assert (np.concatenate(theirs) <= 0.05).mean() > 0.1


def test_labels_of_one_compound_have_no_answer():
    labels = np.where(COMPOUNDS == 0, 6, LABELS)
    labels[-2:] = -1
    X = np.random.default_rng(0).normal(size=(36, 8))
    found = consistency_precision(X, labels, COMPOUNDS)
    assert np.isnan(found.value[6])
    assert np.isfinite(found.value[:6]).all()
    assert consistency_precision(X, np.full(36, -1), COMPOUNDS).value.shape == (0,)

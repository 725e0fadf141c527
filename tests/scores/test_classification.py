import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from cellssl.errors import EmbeddingError
from cellssl.scores import balanced_accuracy, knn_predict, linear_predict
from cellssl.scores.classification import _learnable_folds, _nearest


def cells(n=240, seed=0, signal=1.5):
    rng = np.random.default_rng(seed)
    labels = rng.choice(["big", "middle", "small"], size=n, p=[0.6, 0.3, 0.1])
    centres = {name: rng.normal(size=10) * signal for name in ("big", "middle", "small")}
    X = np.stack([centres[name] for name in labels]) + rng.normal(size=(n, 10))
    return X.astype(np.float32), labels, rng.integers(0, 6, n)


def naive_knn(X, labels, groups, k, temperature):
    predictions = []
    for i in range(len(X)):
        others = [j for j in range(len(X)) if groups[j] != groups[i]]
        cosine = {
            j: float(X[i] @ X[j] / np.linalg.norm(X[i]) / np.linalg.norm(X[j])) for j in others
        }
        votes = dict.fromkeys(sorted(set(labels)), 0.0)
        for j in sorted(others, key=lambda j: -cosine[j])[:k]:
            votes[labels[j]] += np.exp(cosine[j] / temperature) / (labels == labels[j]).sum()
        predictions.append(max(votes, key=lambda name: votes[name]))
    return np.array(predictions)


def test_knn_equals_a_naive_loop_whatever_the_block():
    X, labels, groups = cells()
    expected = naive_knn(X, labels, groups, 7, 0.1)
    for block in (37, 1024):
        found = knn_predict(X, labels, groups=groups, k=7, block=block)
        np.testing.assert_array_equal(found, expected)


def test_of_equal_neighbours_knn_takes_some_evenly():
    similarity = np.array([[0.1, 0.5, 0.5, 0.5, 0.2], [0.3, 0.9, 0.1, 0.8, 0.2]], dtype=np.float32)
    similarity = np.vstack([similarity, np.full((1, 5), -np.inf, np.float32)])
    assert _nearest(similarity, 2).tolist() == [[1, 3], [1, 3], [0, 4]]
    assert _nearest(np.ones((1, 3000), np.float32), 4).tolist() == [[0, 999, 1999, 2999]]
    distinct = np.random.default_rng(0).normal(size=(9, 3001)).astype(np.float32)
    distinct[:, ::2] = -np.inf
    order = np.argsort(-distinct, axis=1)[:, :20]
    np.testing.assert_array_equal(_nearest(distinct, 20), np.sort(order, axis=1))


def test_knn_never_sees_its_own_group():
    X, labels, _ = cells()
    twins = np.concatenate([X, X])
    groups = np.concatenate([np.arange(len(X)), np.arange(len(X))])
    shuffled = np.random.default_rng(1).permutation(labels)
    both = np.concatenate([shuffled, shuffled])
    found = knn_predict(twins, both, groups=groups, k=1)
    assert balanced_accuracy(both, found) < 0.5
    found = knn_predict(twins, both, groups=np.arange(2 * len(X)), k=1)
    np.testing.assert_array_equal(found, both)


@pytest.mark.parametrize("predict", [knn_predict, linear_predict])
def test_classifiers_find_what_is_there_and_nothing_in_permuted_labels(predict):
    def score(labels):
        return balanced_accuracy(labels, predict(X, labels, groups=groups))

    X, labels, groups = cells(signal=3)
    assert score(labels) > 0.9
    rng = np.random.default_rng(0)
    chance = np.mean([score(rng.permutation(labels)) for _ in range(8)])
    assert chance == pytest.approx(1 / 3, abs=0.06)


def test_knn_does_not_profit_from_what_a_group_is_made_of():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(10), 60)
    labels = (groups % 5 + rng.integers(0, 2, 600)) % 5
    X = rng.normal(size=(600, 20))
    assert balanced_accuracy(labels, knn_predict(X, labels, groups=groups)) < 0.24


def test_linear_equals_sklearn_fold_by_fold():
    X, labels, groups = cells()
    expected = np.empty_like(labels)
    for train, test in GroupKFold(5).split(X, labels, groups):
        model = LogisticRegression(C=0.02, class_weight="balanced", max_iter=1000)
        expected[test] = model.fit(X[train], labels[train]).predict(X[test])
    np.testing.assert_array_equal(linear_predict(X, labels, groups=groups), expected)


def test_linear_with_two_groups_and_a_fold_of_one_class():
    X, labels, _ = cells()
    groups = (labels == "big").astype(int)
    labels = np.where(labels == "big", "big", "small")
    found = linear_predict(X, labels, groups=groups)
    assert set(found) == {"big", "small"}
    assert not (found == labels).any()


def test_linear_says_when_it_did_not_converge(monkeypatch, caplog):
    X, labels, groups = cells()
    monkeypatch.setattr("cellssl.scores.classification.ITERATIONS", 2)
    linear_predict(X * 1000, labels, groups=groups)
    assert "converge" in caplog.text


def test_a_false_alarm_of_the_matrix_product_is_not_passed_on(monkeypatch, caplog):
    X, labels, groups = cells(60)
    expected = linear_predict(X, labels, groups=groups)
    fit = LogisticRegression.fit

    def alarming(model, *data):  # as float32 products do on Sapphire Rapids, by OpenBLAS 0.3.31
        np.subtract(np.float32("inf"), np.float32("inf"))
        return fit(model, *data)

    monkeypatch.setattr(LogisticRegression, "fit", alarming)
    np.testing.assert_array_equal(linear_predict(X, labels, groups=groups), expected)
    assert not caplog.messages


def test_many_classes_of_few_cells_are_no_regression(caplog):
    """Each of two plates has one cell of every one of thirty classes."""
    labels = np.tile(np.arange(30), 2)
    X = np.eye(30, dtype=np.float32)[labels]
    assert (linear_predict(X, labels, groups=np.repeat([0, 1], 30)) == labels).all()
    assert not caplog.messages


@pytest.mark.parametrize("predict", [knn_predict, linear_predict])
def test_one_group_is_refused(predict):
    X, labels, _ = cells(30)
    with pytest.raises(EmbeddingError, match="other groups"):
        predict(X, labels, groups=np.zeros(30))


@pytest.mark.parametrize("predict", [knn_predict, linear_predict])
def test_a_test_set_is_predicted_from_the_training_set_alone(predict):
    X, labels, _ = cells()
    test = np.arange(len(X)) % 3 == 0
    found = predict(X, labels, test=test)
    assert found.shape == (test.sum(),)
    hidden = labels.copy()
    hidden[test] = "nothing"  # not even the names of test labels may matter
    np.testing.assert_array_equal(predict(X, hidden, test=test), found)
    moved = X.copy()
    moved[np.flatnonzero(test)[1:]] = 0  # nor do other test rows
    assert predict(moved, labels, test=test)[0] == found[0]


def test_twins_in_the_test_set_teach_nothing():
    """Rows lie in twos with the same random label: only a leak could know it."""
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(200, 8)), 2, axis=0)
    labels = np.repeat(rng.integers(0, 4, 200), 2)
    pairs_apart = np.arange(400) % 2 == 0
    pairs_together = np.arange(400) >= 200
    assert (knn_predict(X, labels, test=pairs_apart, k=1) == labels[pairs_apart]).all()
    found = knn_predict(X, labels, test=pairs_together, k=1)
    assert (found == labels[pairs_together]).mean() == pytest.approx(0.25, abs=0.1)


def test_a_test_set_equals_sklearn_and_a_naive_loop():
    X, labels, _ = cells()
    test = np.arange(len(X)) >= 160
    model = LogisticRegression(C=0.02, class_weight="balanced", max_iter=1000)
    expected = model.fit(X[:160], labels[:160]).predict(X[160:])
    np.testing.assert_array_equal(linear_predict(X, labels, test=test), expected)
    for block in (37, 1024):
        found = knn_predict(X, labels, test=test, k=7, block=block)
        one_by_one = [
            naive_knn(
                np.concatenate([X[:160], X[i : i + 1]]),
                np.append(labels[:160], "nothing"),
                np.append(np.zeros(160), 1),
                7,
                0.1,
            )[-1]
            for i in range(160, 240)
        ]
        np.testing.assert_array_equal(found, one_by_one)


@pytest.mark.parametrize("predict", [knn_predict, linear_predict])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "groups, or which rows are test"),
        ({"test": np.zeros(30, dtype=bool)}, "0 of 30"),
        ({"test": np.ones(30, dtype=bool)}, "30 of 30"),
        ({"test": np.arange(30)}, "true or false for each of 30"),
        ({"test": np.arange(30) < 9, "groups": np.arange(30)}, "give one of them"),
    ],
)
def test_splits_that_part_nothing_are_refused(predict, options, message):
    X, labels, _ = cells(30)
    with pytest.raises(EmbeddingError, match=message):
        predict(X, labels, **options)


@pytest.mark.parametrize("seed", range(5))
def test_a_class_of_two_groups_is_learnt_whichever_fold_they_are_in(seed):
    """Ten groups in five folds: two of them share one."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(10), 12)
    _, held = next(iter(GroupKFold(5).split(groups, groups, groups)))
    rare = np.isin(groups, np.unique(groups[held])) & (np.arange(120) % 3 == 0)
    assert len(np.unique(groups[rare])) == 2
    labels = np.where(rare, "rare", np.where(np.arange(120) % 2, "a", "b"))
    X = rng.normal(size=(120, 6)) + 8 * np.eye(6)[np.unique(labels, return_inverse=True)[1]]
    assert (linear_predict(X, labels, groups=groups) == labels).all()


def test_folds_hold_each_row_once_and_never_all_groups_of_a_class():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        groups = rng.permutation(np.repeat(np.arange(12), 5))
        labels = rng.integers(0, 4, 12)[groups]  # a class of whole groups, often of two or three
        labels[rng.random(60) < 0.1] = 9
        held = list(_learnable_folds(labels, groups, folds=2))
        assert (np.sum(held, axis=0) == 1).all()
        for rows in held:
            assert not set(groups[rows]) & set(groups[~rows])
            for name in set(labels):
                if len(set(groups[labels == name])) > 1:
                    assert (labels[~rows] == name).any()

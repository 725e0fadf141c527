import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    recall_score,
)

from cellssl.errors import EmbeddingError
from cellssl.scores import (
    accuracy_of,
    balanced_accuracy,
    balanced_accuracy_of,
    class_accuracies_of,
    confusion,
)

LABELS = ["cat", "cat", "cat", "cat", "dog", "dog", "eel"]
PREDICTIONS = ["cat", "cat", "cat", "dog", "dog", "eel", "fox"]


def test_a_table_worked_out_by_hand():
    table = confusion(LABELS, PREDICTIONS)
    np.testing.assert_array_equal(table, [[3, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]])
    assert table.dtype == np.int64
    accuracies, counts = class_accuracies_of(table)
    np.testing.assert_array_equal(accuracies, [0.75, 0.5, 0, np.nan])  # nothing is a fox
    assert counts.tolist() == [4, 2, 1, 0]
    assert accuracy_of(table) == 4 / 7
    assert balanced_accuracy(LABELS, PREDICTIONS) == pytest.approx(1.25 / 3)


def test_order_and_absent_classes_are_the_callers():
    table = confusion(LABELS, PREDICTIONS, classes=["fox", "eel", "dog", "cat", "ant"])
    assert table.shape == (5, 5)
    assert table[3].tolist() == [0, 0, 1, 3, 0]
    accuracies, counts = class_accuracies_of(table)
    np.testing.assert_array_equal(accuracies, [np.nan, 0, 0.5, 0.75, np.nan])
    assert counts.tolist() == [0, 1, 2, 4, 0]
    assert balanced_accuracy_of(table) == pytest.approx(1.25 / 3)


def test_an_empty_table_has_no_accuracy():
    empty = np.zeros((3, 3), dtype=np.int64)
    assert np.isnan(balanced_accuracy_of(empty))
    assert np.isnan(accuracy_of(empty))


def test_all_equal_sklearn():
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(0, 5, 300), rng.integers(0, 5, 300)
    table = confusion(labels, predictions)
    np.testing.assert_array_equal(table, confusion_matrix(labels, predictions))
    expected = balanced_accuracy_score(labels, predictions)
    assert balanced_accuracy_of(table) == pytest.approx(expected)
    assert balanced_accuracy(labels, predictions) == pytest.approx(expected)
    assert accuracy_of(table) == pytest.approx(accuracy_score(labels, predictions))
    recall = recall_score(labels, predictions, average=None)
    np.testing.assert_allclose(class_accuracies_of(table)[0], recall)


def test_balanced_accuracy_does_not_count_what_is_only_predicted():
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(0, 4, 100), rng.integers(0, 6, 100)
    by_hand = [(predictions[labels == name] == name).mean() for name in range(4)]
    assert balanced_accuracy(labels, predictions) == pytest.approx(np.mean(by_hand))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": ["cat", "dog", "eel"]}, "^'fox' is none of the classes"),
        ({"classes": ["cat", "cat", "dog", "eel", "fox"]}, "named twice"),
    ],
)
def test_foreign_classes_are_refused(options, message):
    with pytest.raises(EmbeddingError, match=message):
        confusion(LABELS, PREDICTIONS, **options)


def test_misshapen_input_is_refused():
    with pytest.raises(EmbeddingError, match="7 labels, but 6"):
        confusion(LABELS, PREDICTIONS[:-1])
    with pytest.raises(EmbeddingError, match=r"\(K, K\), got \(2, 3\)"):
        class_accuracies_of(np.zeros((2, 3)))

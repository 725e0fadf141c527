import numpy as np
import pytest

from cellssl.cells import Matches, match_objects


def test_counts_by_hand():
    truth = np.array([[1, 1, 1, 1, 0, 3, 3, 0]])
    found = np.array([[9, 9, 9, 0, 0, 0, 4, 4]])  # 3 / 4 of the first; 1 / 3 of the other
    assert match_objects(truth, found) == Matches(hits=1, extra=1, missed=1)
    assert match_objects(truth, found, overlap=0.75) == Matches(0, 2, 2)
    assert match_objects(truth, truth) == Matches(hits=2)


def test_scores_are_pooled():
    assert (Matches(1, 0, 0) + Matches(0, 1, 1)).f1 == pytest.approx(2 / 4)
    assert Matches().f1 == 1
    nothing = np.zeros((3, 3), int)
    assert match_objects(nothing, nothing) == Matches()


def test_what_cannot_be_matched_is_said():
    with pytest.raises(ValueError, match=r"\(2, 2\) and \(2, 3\)"):
        match_objects(np.zeros((2, 2), int), np.zeros((2, 3), int))
    with pytest.raises(ValueError, match=r"0\.5 or more"):
        match_objects(np.zeros((2, 2), int), np.zeros((2, 2), int), overlap=0.3)

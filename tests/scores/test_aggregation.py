import numpy as np
import pytest
from scipy.stats import trim_mean

from cellssl.errors import EmbeddingError
from cellssl.scores import STATISTICS, aggregate

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
GROUPS = np.repeat([1, 0, -1], 20)
NAIVE = {"median": np.median, "mean": np.mean, "trimmed-mean": lambda x: trim_mean(x, 0.1)}


@pytest.mark.parametrize("statistic", STATISTICS)
def test_groups_equal_a_loop(statistic):
    order = RNG.permutation(60)
    found = aggregate(X[order], GROUPS[order], statistic=statistic)
    for group in (0, 1):
        expected = [NAIVE[statistic](X[group == GROUPS][:, d]) for d in range(3)]
        np.testing.assert_allclose(found[group], expected)


def test_a_trimmed_mean_forgets_a_tenth_at_either_end():
    values = np.r_[np.arange(18.0), 1e6, -1e6][:, None]
    found = aggregate(values, np.zeros(20, dtype=int), statistic="trimmed-mean")
    assert found[0, 0] == pytest.approx(np.arange(1, 17).mean())


def test_of_few_rows_nothing_is_trimmed():
    groups = np.zeros(9, dtype=int)
    found = aggregate(X[:9], groups, statistic="trimmed-mean")
    np.testing.assert_allclose(found[0], X[:9].mean(axis=0))


def test_other_statistics_are_refused():
    with pytest.raises(EmbeddingError, match="median, mean, trimmed-mean"):
        aggregate(X, GROUPS, statistic="mode")

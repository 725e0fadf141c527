import numpy as np
import pytest
from scipy.stats import f_oneway
from sklearn.metrics import adjusted_mutual_info_score

from cellssl.errors import EmbeddingError
from cellssl.scores import equal_classes, explained_variance, property_ami


def test_a_share_of_variance_follows_from_the_f_statistic():
    rng = np.random.default_rng(0)
    clusters = np.arange(90) % 3
    values = rng.normal(size=90) + 0.8 * clusters
    F = f_oneway(*(values[clusters == k] for k in range(3))).statistic
    # ε² = (F − 1) · (k − 1) / (F · (k − 1) + N − k)
    expected = (F - 1) * 2 / (F * 2 + 87)
    assert explained_variance(values, clusters) == pytest.approx(expected)


def test_chance_explains_nothing_on_average():
    rng = np.random.default_rng(0)
    found = [explained_variance(rng.normal(size=60), rng.integers(0, 10, 60)) for _ in range(400)]
    assert abs(np.mean(found)) < 0.01  # uncorrected it would be 9 / 59
    assert min(found) < 0


def test_a_property_that_does_not_vary_is_not_explained():
    assert np.isnan(explained_variance([2.0, 2.0, 2.0], [0, 1, 0]))
    assert np.isnan(property_ami([2.0, 2.0, 2.0], [0, 1, 0]))
    assert np.isnan(explained_variance([1.0, 2.0], [0, 1]))
    assert np.isnan(explained_variance([], []))
    assert np.isnan(property_ami([], []))


def test_classes_are_equal_and_ties_stay_together():
    values = np.random.default_rng(0).permutation(50)
    assert np.bincount(equal_classes(values)).tolist() == [10] * 5
    assert (equal_classes(values) == values // 10).all()
    tied = equal_classes([0, 0, 0, 0, 1, 2], 3)
    assert len(set(tied[:4])) == 1
    assert tied[-1] == 2


def test_the_ami_of_a_property_is_that_of_its_classes():
    rng = np.random.default_rng(0)
    values = rng.normal(size=200)
    clusters = (values > 0).astype(int) + 2 * (rng.random(200) > 0.5)
    expected = adjusted_mutual_info_score(equal_classes(values), clusters)
    assert property_ami(values, clusters) == pytest.approx(expected)
    assert property_ami(values, rng.permutation(clusters)) < 0.02 < expected


@pytest.mark.parametrize(
    ("values", "clusters", "said"),
    [([1.0, np.nan], [0, 1], "1 of 2 values are not finite"), ([1.0], [0, 1], "one value and one")],
)
def test_what_does_not_fit_is_told(values, clusters, said):
    for measure in (explained_variance, property_ami):
        with pytest.raises(EmbeddingError, match=said):
            measure(values, clusters)

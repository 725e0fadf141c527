import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score, balanced_accuracy_score

from cellssl.scores import draw_resamples, interval


def screen(seed=0):
    """Four classes of five treatments of two wells of six cells, and a control of one treatment."""
    rng = np.random.default_rng(seed)
    treatments = np.repeat(np.arange(21), 12)
    classes = np.minimum(treatments // 5, 4)
    wells = np.repeat(np.arange(42), 6)
    clusters = np.where(rng.random(252) < 0.6, classes, rng.integers(0, 5, 252))
    return classes, treatments, wells, clusters


def expand(draws, number):
    """The cells of one draw, each as often as its unit was drawn."""
    return np.repeat(np.arange(len(draws.units)), draws.weights[number][draws.units].astype(int))


def test_units_are_treatments_or_wells_or_cells():
    classes, treatments, wells, _ = screen()
    draws = draw_resamples(classes, [treatments, wells], count=50)
    assert draws.weights.shape[1] == 20 + 12  # one control treatment of two wells: its 12 cells
    many = np.where(classes == 4, np.arange(252) // 3, wells)
    assert draw_resamples(classes, [treatments, many]).weights.shape[1] == 20 + 4
    assert draw_resamples(classes).weights.shape[1] == 252


def test_no_class_vanishes_and_its_units_are_drawn_as_often_as_there_are():
    classes, treatments, wells, _ = screen()
    draws = draw_resamples(classes, [treatments, wells], count=50)
    for number in range(50):
        assert set(classes[expand(draws, number)]) == {0, 1, 2, 3, 4}
    assert (draws.weights[:, :5].sum(axis=1) == 5).all()


def test_draws_equal_scores_of_the_repeated_cells():
    classes, treatments, wells, clusters = screen()
    draws = draw_resamples(classes, [treatments, wells], count=20)
    values = np.random.default_rng(1).random(252)
    accuracy, mean = draws.balanced_accuracy(classes, clusters), draws.mean(values)
    agreement = draws.ami(classes, clusters)
    for number in range(20):
        cells = expand(draws, number)
        expected = balanced_accuracy_score(classes[cells], clusters[cells])
        assert accuracy[number] == pytest.approx(expected)
        assert mean[number] == pytest.approx(values[cells].mean())
        # The information expected by chance is held: the difference is small.
        expected = adjusted_mutual_info_score(classes[cells], clusters[cells])
        assert agreement[number] == pytest.approx(expected, abs=0.01)


def test_take_keeps_the_draws():
    classes, treatments, wells, _ = screen()
    draws = draw_resamples(classes, [treatments, wells], count=5)
    rows = np.arange(0, 252, 2)
    values = np.arange(252.0)
    cells = [cell for cell in expand(draws, 3) if cell % 2 == 0]
    assert draws.take(rows).mean(values[rows])[3] == pytest.approx(values[cells].mean())


def test_interval_is_centred_and_covers():
    rng = np.random.default_rng(0)
    low, high = interval(0.5, rng.normal(0.7, 0.1, 100_000))
    assert (low, high) == pytest.approx((0.5 - 0.196, 0.5 + 0.196), abs=0.005)


def test_the_interval_of_a_mean_covers_the_truth_about_as_often_as_it_says():
    rng, covered = np.random.default_rng(0), 0
    for seed in range(200):
        units = rng.normal(size=30)
        values = np.repeat(units, 4)
        draws = draw_resamples(np.zeros(120), [np.repeat(np.arange(30), 4)], seed=seed)
        low, high = interval(values.mean(), draws.mean(values))
        covered += low <= 0 <= high
    assert 0.88 <= covered / 200 <= 0.98

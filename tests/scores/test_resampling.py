import tracemalloc

import numpy as np
import pytest
from scipy.stats import norm, t
from sklearn.metrics import adjusted_mutual_info_score, balanced_accuracy_score

from cellssl.scores import Resamples, draw_resamples, interval, joint_intervals


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


@pytest.mark.parametrize("shape", [(4, 6), (1, 6), (200, 3)])
def test_the_ami_of_all_cells_equals_sklearn(shape):
    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, count, 200) for count in shape)
    once = Resamples(np.arange(200), np.ones((1, 200)))
    for labels, clusters in ((a, b), (a, a)):
        expected = adjusted_mutual_info_score(labels, clusters)
        np.testing.assert_allclose(once.ami(labels, clusters), [expected], atol=1e-10)


def test_the_ami_of_many_classes_holds_no_table_of_all_their_pairs():
    labels = np.arange(600) // 2
    draws = draw_resamples(labels, count=100)
    tracemalloc.start()
    found = draws.ami(labels, np.roll(labels, 1))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 100
    assert most < 20e6  # 100 tables of 300 x 300 are 72 MB


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


def test_an_interval_ends_where_a_score_does():
    further = [(0.1**2, 1)]  # two seeds that differ much
    assert interval(0.9, np.zeros(9), further=further, within=(0, 1)) == (0, 1)
    low, high = interval(0.9, np.zeros(9), further=further)
    assert low < 0 < 1 < high
    inside = interval(0.5, np.array([0.4, 0.6]), within=(0, 1))
    assert inside == interval(0.5, np.array([0.4, 0.6]))


def test_the_interval_of_a_mean_covers_the_truth_about_as_often_as_it_says():
    rng, covered = np.random.default_rng(0), 0
    for seed in range(200):
        units = rng.normal(size=30)
        values = np.repeat(units, 4)
        draws = draw_resamples(np.zeros(120), [np.repeat(np.arange(30), 4)], seed=seed)
        low, high = interval(values.mean(), draws.mean(values))
        covered += low <= 0 <= high
    assert 0.88 <= covered / 200 <= 0.98


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("share", [0.0, 1.0, 4.0])
def test_the_interval_of_few_trainings_covers_at_least_as_often_as_it_says(seeds, share):
    """Spread of seeds beside nothing, as much, or four times as much, of treatments' spread."""
    rng, covered = np.random.default_rng(seeds), 0
    quantiles = norm.ppf((np.arange(400) + 0.5) / 400)
    for _ in range(400):
        scores = rng.normal(size=seeds)
        spread = np.sqrt(share / seeds)
        value = scores.mean() + rng.normal(0, spread)
        further = [(scores.var(ddof=1) / seeds, seeds - 1)]
        low, high = interval(value, spread * quantiles, further=further)
        covered += low <= 0 <= high
    assert covered / 400 > 0.93
    assert share or covered / 400 < 0.97  # seeds alone: Student's interval


def test_accuracies_of_classes_equal_those_of_the_repeated_cells():
    classes, treatments, wells, clusters = screen()
    draws = draw_resamples(classes, [treatments, wells], count=20)
    found = draws.class_accuracies(classes, clusters)
    assert found.shape == (20, 5)
    for number in range(20):
        cells = expand(draws, number)
        for place in range(5):
            own = cells[classes[cells] == place]
            assert found[number, place] == pytest.approx((clusters[own] == place).mean())
    assert draws.class_units(classes).tolist() == [5, 5, 5, 5, 12]


def test_joint_intervals_are_as_worked_out_by_loops():
    rng = np.random.default_rng(0)
    differences, draws = rng.normal(size=6), rng.normal(size=(50, 6)) * np.arange(1, 7)
    differences[5], draws[:, 5] = 9, 9 + draws[:, 5] / 1000  # these units hardly differ
    units = np.array([3, 5, 8, 20, 50, 100])
    low, high = joint_intervals(differences, draws, units)
    for k in range(6):
        spread = np.sqrt(sum((value - draws[:, k].mean()) ** 2 for value in draws[:, k]) / 50)
        deviation = spread * np.sqrt(units[k] / (units[k] - 1))
        deviation = 9 / 100 if k == 5 else max(deviation, abs(differences[k]) / units[k])
        inside = 0.95 ** (1 / 6)
        half = t.ppf(0.5 + inside / 2, units[k] - 1) * deviation
        assert (low[k], high[k]) == pytest.approx((differences[k] - half, differences[k] + half))


def test_a_joint_interval_of_one_is_an_interval():
    draws = np.random.default_rng(0).normal(0.7, 0.1, (100_000, 1))
    low, high = joint_intervals([0.5], draws, [10_000])
    assert (low[0], high[0]) == pytest.approx((0.5 - 0.196, 0.5 + 0.196), abs=0.005)


@pytest.mark.parametrize(("units", "claimed"), [(1, False), (3, False), (5, False), (12, True)])
def test_few_units_that_agree_are_not_trusted(units, claimed):
    """Of five coins that all show heads one does not conclude that they are false."""
    differences = np.array([1.0, *np.zeros(11)])
    low, _ = joint_intervals(differences, np.tile(differences, (40, 1)), np.full(12, units))
    assert (low[0] > 0) == claimed


@pytest.mark.parametrize("units", [4, 8, 20])
def test_where_no_class_differs_rarely_any_is_claimed(units):
    rng, claims = np.random.default_rng(units), 0
    names = np.repeat(np.arange(12), units)
    for seed in range(200):
        values = rng.normal(size=12 * units)
        draws = draw_resamples(names, [np.arange(12 * units)], seed=seed)
        per_class = np.stack(
            [draws.take(np.flatnonzero(names == k)).mean(values[names == k]) for k in range(12)], 1
        )
        means = [values[names == k].mean() for k in range(12)]
        low, high = joint_intervals(means, per_class, draws.class_units(names))
        claims += bool(((low > 0) | (high < 0)).any())
    assert claims / 200 <= 0.09


@pytest.mark.parametrize("seeds", [3, 5])
def test_where_no_class_differs_few_trainings_claim_none(seeds):
    """Accuracies of many cells hardly vary over cells, and then only as trainings do."""
    rng, claims = np.random.default_rng(seeds), 0
    for _ in range(300):
        trainings = rng.normal(size=(seeds, 12))
        draws = rng.normal(size=(100, 12)) / 50
        variance = trainings.var(axis=0, ddof=1) / seeds
        low, high = joint_intervals(
            trainings.mean(axis=0), draws, np.full(12, 1000), further=[(variance, seeds - 1)]
        )
        claims += bool(((low > 0) | (high < 0)).any())
    assert claims / 300 <= 0.075


def test_each_variance_is_scaled_by_its_own_quantile():
    draws = np.random.default_rng(1).normal(0, 0.2, (500, 2))
    low, high = joint_intervals([0.1, 0], draws, [9, 20], further=[([0.03, 0], 2), ([0.01, 0], 4)])
    sampled = draws.var(axis=0) * np.array([9 / 8, 20 / 19])
    inside = 0.5 + 0.95**0.5 / 2
    first = t.ppf(inside, 8) ** 2 * sampled[0]
    first += t.ppf(inside, 2) ** 2 * 0.03 + t.ppf(inside, 4) ** 2 * 0.01
    halves = [first**0.5, t.ppf(inside, 19) * sampled[1] ** 0.5]
    np.testing.assert_allclose((high - low) / 2, halves)

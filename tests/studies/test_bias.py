"""Correlations between classes: against SciPy, a naive loop, and tables without any."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cellssl.errors import StudyError
from cellssl.studies.bias import class_correlations, class_table


def make_table(rows: int, classes: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        rng.random((rows, classes)), columns=[f"c{number}" for number in range(classes)]
    )


def test_correlations_are_those_of_scipy() -> None:
    table = make_table(9, 4)
    table["c3"] = table["c0"].round(1)  # ties
    found = class_correlations(table, draws=9).set_index(["class_a", "class_b"])
    assert len(found) == 6
    for a, b in itertools.combinations(table, 2):
        assert found.loc[(a, b), "pearson"] == pytest.approx(
            stats.pearsonr(table[a], table[b]).statistic
        )
        assert found.loc[(a, b), "spearman"] == pytest.approx(
            stats.spearmanr(table[a], table[b]).statistic
        )


def test_p_values_are_those_of_all_permutations() -> None:
    # Of five settings there are 120 orders: all of them, one by one, are the exact test.
    table = make_table(5, 3, seed=3)
    found = class_correlations(table, draws=20_000).set_index(["class_a", "class_b"])
    for a, b in itertools.combinations(table, 2):
        for name, statistic in (("pearson", stats.pearsonr), ("spearman", stats.spearmanr)):
            real = abs(statistic(table[a], table[b]).statistic)
            reached = [
                abs(statistic(np.array(order), table[b]).statistic) >= real - 1e-12
                for order in itertools.permutations(table[a])
            ]
            assert found.loc[(a, b), f"p_{name}"] == pytest.approx(np.mean(reached), abs=0.012)


def test_no_p_value_is_zero() -> None:
    table = pd.DataFrame({"a": np.arange(12.0), "b": -np.arange(12.0)})
    found = class_correlations(table, draws=99).iloc[0]
    assert found["p_pearson"] == found["p_spearman"] == 1 / 100
    assert found["pearson"] == pytest.approx(-1)


def test_false_discoveries_are_controlled_as_benjamini_and_hochberg_say() -> None:
    table = make_table(8, 6)
    table["c1"] = table["c0"] + 0.02 * table["c2"]
    found = class_correlations(table)
    for name in ("pearson", "spearman"):
        p = found[f"p_{name}"].to_numpy()
        order = np.argsort(p)
        q = np.empty(len(p))
        smallest = 1.0
        for rank in range(len(p), 0, -1):
            smallest = min(smallest, p[order[rank - 1]] * len(p) / rank)
            q[order[rank - 1]] = smallest
        np.testing.assert_allclose(found[f"q_{name}"], q)
    assert found.set_index(["class_a", "class_b"]).loc[("c0", "c1"), "q_pearson"] < 0.05


def test_tables_without_correlation_give_uniform_p() -> None:
    p = np.array(
        [
            class_correlations(make_table(8, 2, seed=seed), draws=199)[
                ["p_pearson", "p_spearman"]
            ].iloc[0]
            for seed in range(300)
        ]
    )
    for column in p.T:
        assert stats.kstest(column, "uniform").pvalue > 0.001
        assert abs((column < 0.05).mean() - 0.05) < 0.04


def test_a_class_that_never_changes_correlates_with_nothing() -> None:
    table = make_table(6, 3)
    table["c1"] = 0.5
    found = class_correlations(table, draws=49).set_index(["class_a", "class_b"])
    assert found.loc[("c0", "c1")].drop("settings").isna().all()
    assert found.loc[("c0", "c2")].notna().all()
    assert found.loc[("c0", "c2"), "q_pearson"] == found.loc[("c0", "c2"), "p_pearson"]


def test_the_same_seed_gives_the_same_p() -> None:
    table = make_table(7, 3)
    first, again, other = (class_correlations(table, draws=99, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first["p_pearson"].equals(other["p_pearson"])


@pytest.mark.parametrize("shape", [(4, 3), (6, 1)])
def test_too_little_is_no_evidence(shape: tuple[int, int]) -> None:
    with pytest.raises(StudyError, match="need 5 settings and two classes, got"):
        class_correlations(make_table(*shape))


def test_settings_by_classes_of_means_over_all() -> None:
    rows = [
        (name, classifier, subset, kind, seed, value)
        for name, value in (("b", 0.25), ("a", 0.75))
        for classifier in ("knn", "linear")
        for subset in ("all", "some")
        for kind in ("x", "y")
        for seed in ("mean", "0")
    ]
    columns = ["embedding", "classifier", "subset", "class", "seed", "accuracy"]
    per_class = pd.DataFrame(rows, columns=columns)
    chosen = (
        (per_class["classifier"] == "linear")
        & (per_class["subset"] == "all")
        & (per_class["seed"] == "mean")
    )
    per_class.loc[~chosen, "accuracy"] = 9.0
    table = class_table(per_class)
    assert table.index.tolist() == ["b", "a"]
    assert table.to_numpy().tolist() == [[0.25, 0.25], [0.75, 0.75]]

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.spatial.distance import cosine

from cellssl.errors import EmbeddingError
from cellssl.scores import aggregate, batch_membership, nsc, nscb

BATCHES = ["Week1", "Week2", "Week3"]


def screen(seed, *, count=24):
    """Draw treatments of few compounds, mechanisms and batches; the first spans all batches."""
    rng = np.random.default_rng(seed)
    compounds = rng.integers(0, 8, count)
    mechanisms = np.array(["actin", "DNA", "Eg5"])[compounds % 3]
    batches = [{BATCHES[i] for i in rng.integers(0, 3, rng.integers(1, 3))} for _ in range(count)]
    batches[1:] = [
        {"Week1"} if m == "Eg5" else b for m, b in zip(mechanisms, batches, strict=True)
    ][1:]
    if seed % 2 and mechanisms[0] != "Eg5":
        batches[0] = set(BATCHES)
    X = rng.normal(size=(count, 5)) + 2 * np.eye(5)[compounds % 3]
    return X, mechanisms, compounds, batches


def table(batches):
    return np.array([[name in own for name in BATCHES] for own in batches])


def naive(X, mechanisms, compounds, batches=None):
    """Treatment by treatment with sets: {treatment: neighbour}."""
    spans = {}
    for m, own in zip(mechanisms, batches or [], strict=bool(batches)):
        spans.setdefault(m, set()).update(own)
    found = {}
    for i in range(len(X)):
        best, nearest = 3.0, None
        for j in range(len(X)):
            if compounds[i] == compounds[j]:
                continue
            if batches is not None:
                if len(spans[mechanisms[i]]) < 2 or len(spans[mechanisms[j]]) < 2:
                    continue
                if batches[i] & batches[j]:
                    continue
            distance = cosine(X[i], X[j])
            if distance < best:
                best, nearest = distance, j
        if nearest is not None:
            found[i] = nearest
    return found


def as_dict(matches):
    return dict(zip(matches.scored.tolist(), matches.neighbours.tolist(), strict=True))


@pytest.mark.parametrize("seed", range(20))
def test_both_agree_with_a_naive_loop(seed):
    X, mechanisms, compounds, batches = screen(seed)
    for found, loop in (
        (nsc(X, mechanisms, compounds), naive(X, mechanisms, compounds)),
        (nscb(X, mechanisms, compounds, table(batches)), naive(X, mechanisms, compounds, batches)),
    ):
        assert as_dict(found) == loop
        right = sum(mechanisms[i] == mechanisms[j] for i, j in loop.items())
        assert (found.k, found.n) == (right, len(loop))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_never_the_same_compound_and_never_the_same_batch(seed):
    X, mechanisms, compounds, batches = screen(seed)
    alone = nsc(X, mechanisms, compounds)
    assert alone.n == len(X)
    assert not (compounds[alone.scored] == compounds[alone.neighbours]).any()
    both = nscb(X, mechanisms, compounds, table(batches))
    assert not (compounds[both.scored] == compounds[both.neighbours]).any()
    for i, j in as_dict(both).items():
        assert not batches[i] & batches[j]
        assert mechanisms[i] not in both.dropped
        assert mechanisms[j] not in both.dropped
    spread = {
        m: set().union(*(b for n, b in zip(mechanisms, batches, strict=True) if n == m))
        for m in mechanisms
    }
    assert set(both.dropped) == {m for m, own in spread.items() if len(own) < 2}
    kept = sum(len(spread[m]) > 1 for m in mechanisms)
    assert both.n + len(both.alone) == kept


def test_a_treatment_of_several_batches_shares_each_of_them():
    """Taxol lies in both weeks: its twin of Week2 is no neighbour, however alike."""
    X = [[1, 0], [1, 0.01], [0, 1], [0.1, 1]]
    wells = [0, 0, 1, 2, 3]
    weeks = ["Week1", "Week2", "Week2", "Week1", "Week3"]
    member = batch_membership(wells, weeks)
    found = nscb(X, ["a", "a", "b", "b"], ["taxol", "epothilone", "x", "y"], member)
    assert as_dict(found)[0] == 3
    assert 0 not in {j for i, j in as_dict(found).items() if i in (1, 2)}


def test_a_treatment_of_all_batches_cannot_be_scored():
    member = np.array([[True, True], [True, False], [False, True]])
    found = nscb(np.eye(3), ["a", "a", "a"], ["taxol", "x", "y"], member)
    assert found.alone.tolist() == [0]
    assert found.scored.tolist() == [1, 2]


def test_values_and_draws():
    X = np.repeat(np.eye(4), 2, axis=0) + 0.01
    found = nsc(X, list("aabbccdd"), list("abcdefgh"))
    assert (found.k, found.n, found.value) == (8, 8, 1.0)
    half = nsc(X, list("aabbcdef"), list("abcdefgh"))
    assert half.value == 0.5
    # The share of right ones among 8 drawn of 8 is binomial: deviation 0.177, quantiles 1/8 and 7/8.
    draws = half.draws(count=4000)
    low, high = np.quantile(draws, [0.025, 0.975])
    assert (low, high) == (pytest.approx(0.125, abs=0.02), pytest.approx(0.875, abs=0.02))
    assert draws.std() == pytest.approx(0.177, abs=0.01)
    np.testing.assert_array_equal(half.draws(), half.draws())


def test_permuted_mechanisms_are_found_by_chance():
    rng = np.random.default_rng(0)
    mechanisms = np.repeat(np.arange(10), 30)
    X = np.eye(10)[mechanisms] + 0.1 * rng.normal(size=(300, 10))
    assert nsc(X, mechanisms, np.arange(300)).value == 1
    assert nsc(X, rng.permutation(mechanisms), np.arange(300)).value == pytest.approx(0.1, abs=0.06)


def test_nothing_to_match_has_no_value():
    found = nscb(np.eye(2), ["a", "a"], ["x", "y"], np.ones((2, 1), dtype=bool))
    assert found.n == 0
    assert np.isnan(found.value)
    assert found.dropped == ("a",)


def test_aggregate_by_hand():
    X = np.array([[1.0], [2], [9], [5], [100]])
    groups = [1, 1, 1, 0, -1]
    np.testing.assert_array_equal(aggregate(X, groups), [[5], [2]])
    np.testing.assert_array_equal(aggregate(X, groups, statistic="mean"), [[5], [4]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nsc(np.eye(3), ["a"] * 2, ["x"] * 3), "wanted profiles"),
        (lambda: nsc([[np.nan], [1]], ["a"] * 2, ["x"] * 2), "1 of 2 profiles"),
        (lambda: nscb(np.eye(2), ["a"] * 2, ["x"] * 2, ["Week1", "Week2"]), "true or false"),
        (
            lambda: nscb(np.eye(2), ["a"] * 2, ["x"] * 2, [[True], [False]]),
            "treatment 1 lies in no",
        ),
        (lambda: aggregate(np.eye(2), [0, 2]), "group 1 of 3 has no rows"),
        (
            lambda: aggregate(np.eye(2), [0, 0], statistic="mode"),
            "wanted median, mean, trimmed-mean",
        ),
        (lambda: aggregate(np.eye(2), [0]), "a group for each of 2 rows"),
    ],
)
def test_mistakes_are_explained(call, message):
    with pytest.raises(EmbeddingError, match=message):
        call()

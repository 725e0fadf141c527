import itertools

import numpy as np
import pytest
from scipy.stats import kstest

from cellssl.errors import EmbeddingError
from cellssl.scores import replicate_correlation

RNG = np.random.default_rng(0)
# 20 treatments on three plates, a well each, and two control wells a plate.
TREATMENTS = np.r_[np.tile(np.arange(20), 3), np.full(6, -1)]
PLATES = np.r_[np.repeat([0, 1, 2], 20), np.repeat([0, 1, 2], 2)]


def wells(signal=0.0, plate=0.0, seed=0):
    rng = np.random.default_rng(seed)
    own, plates = rng.normal(size=(20, 15)), rng.normal(size=(3, 15))
    X = rng.normal(size=(66, 15)) + plate * plates[PLATES]
    return X + signal * np.where(TREATMENTS[:, None] < 0, 0, own[TREATMENTS])


def test_correlations_equal_a_loop():
    X = wells(signal=1)
    found = replicate_correlation(X, TREATMENTS, PLATES)
    for t in range(20):
        rows = np.flatnonzero(t == TREATMENTS)
        pairs = [np.corrcoef(X[i], X[j])[0, 1] for i, j in itertools.combinations(rows, 2)]
        assert found.correlation[t] == pytest.approx(np.median(pairs))
    assert found.across.all()


def test_replicates_are_told_from_random_wells():
    found = replicate_correlation(wells(signal=2), TREATMENTS, PLATES)
    assert (found.correlation > found.limit).all()
    assert found.p_value.max() < 0.01


def test_random_wells_have_uniform_p_values():
    p_values = np.concatenate(
        [
            replicate_correlation(wells(seed=s), TREATMENTS, PLATES, draws=200, seed=s).p_value
            for s in range(20)
        ]
    )
    assert kstest(p_values, "uniform").pvalue > 0.01


def test_what_a_plate_has_in_common_is_no_replicate():
    """Two wells of each treatment on the same plate: random wells are taken from it too."""
    treatments, plates = np.repeat(np.arange(30), 2), np.repeat([0, 1, 2], 20)
    X = RNG.normal(size=(60, 15)) + 5 * RNG.normal(size=(3, 15))[plates]
    found = replicate_correlation(X, treatments, plates)
    assert not found.across.any()
    assert found.correlation.min() > 0.8
    assert (found.p_value < 0.05).mean() < 0.2
    spread = replicate_correlation(wells(plate=5), TREATMENTS, PLATES)
    assert (spread.p_value < 0.05).mean() < 0.25


def test_one_well_and_few_treatments_have_no_answer():
    found = replicate_correlation(RNG.normal(size=(5, 4)), [0, 0, 1, 1, 2])
    assert np.isnan(found.correlation[2])
    assert np.isnan(found.p_value[2])
    few = replicate_correlation(RNG.normal(size=(4, 4)), [0, 0, 1, 1])
    assert np.isfinite(few.correlation).all()
    assert np.isnan(few.limit).all()
    with pytest.raises(EmbeddingError, match="W treatments"):
        replicate_correlation(RNG.normal(size=(4, 4)), [0, 0, 1])

import numpy as np
import pytest
from sklearn.decomposition import FactorAnalysis

from cellssl.errors import EmbeddingError
from cellssl.phenotypes import fit_factors, normalise_features

RNG = np.random.default_rng(0)
CAUSES = RNG.normal(size=(400, 3))
X = CAUSES @ RNG.normal(size=(3, 20)) * 2 + RNG.normal(size=(400, 20)) * RNG.uniform(0.5, 3, 20)


def test_factors_are_those_of_scikit_learn():
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    expected = FactorAnalysis(3, random_state=0).fit(scaled).transform(scaled)
    np.testing.assert_allclose(fit_factors(X, factors=3).apply(X), expected, atol=1e-6)


def test_causes_are_found_again_whatever_the_features_scale():
    found = fit_factors(X, factors=3).apply(X)
    fit, *_ = np.linalg.lstsq(found, CAUSES, rcond=None)
    for k in range(3):
        assert np.corrcoef(found @ fit[:, k], CAUSES[:, k])[0, 1] > 0.9
    scaled = X * np.geomspace(1, 1e4, 20) + 50
    again = fit_factors(scaled, factors=3).apply(scaled)
    np.testing.assert_allclose(again, found, atol=1e-4)


def test_a_feature_that_does_not_vary_has_no_part():
    silent = np.c_[X[:, :5], np.full(400, 3.0)]
    other = silent.copy()
    other[:, 5] = 1e6
    fitted = fit_factors(silent, factors=2)
    np.testing.assert_allclose(fitted.apply(other), fitted.apply(silent), atol=1e-8)


def test_averages_of_factors_are_factors_of_averages():
    fitted = fit_factors(X, factors=3)
    np.testing.assert_allclose(
        fitted.apply(X).mean(axis=0), fitted.apply(X.mean(axis=0)[None])[0], atol=1e-8
    )


def test_few_rows_give_fewer_factors():
    assert fit_factors(X[:6]).apply(X).shape == (400, 5)


def test_the_rule_is_fitted_to_the_controls_alone():
    controls = np.arange(400) < 100
    plates = np.repeat(["p", "q"], 200)
    known = {"plates": plates, "controls": controls}
    Z = normalise_features(X, np.arange(400), rule="factor-analysis", **known)
    expected = fit_factors(X[:100].astype(np.float32)).apply(X.astype(np.float32))
    np.testing.assert_allclose(Z, expected, atol=1e-5)
    shifted = X + np.where(controls, 0, 5)[:, None]
    moved = normalise_features(shifted, np.arange(400), rule="factor-analysis", **known)
    np.testing.assert_allclose(moved[:100], Z[:100], atol=1e-5)
    with pytest.raises(EmbeddingError, match="needs negative controls"):
        normalise_features(X, np.arange(400), rule="factor-analysis")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_factors(X[:2]), "three rows at least, got 2"),
        (lambda: fit_factors(np.ones((5, 3))), "all the same"),
        (lambda: fit_factors(X, factors=0), "one factor at least"),
    ],
)
def test_mistakes_are_explained(call, message):
    with pytest.raises(EmbeddingError, match=message):
        call()

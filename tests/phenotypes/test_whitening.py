import numpy as np
import pytest

from cellssl.errors import EmbeddingError
from cellssl.phenotypes.normalisation.whitening import coral, fit_sphering, fit_whitening

RNG = np.random.default_rng(0)
MIXED = RNG.normal(size=(60, 8)) @ RNG.normal(size=(8, 8)) + 5


def covariance(X):
    return np.cov(X, rowvar=False)


@pytest.mark.parametrize("rows", [60, 9])
def test_sphering_without_prior_gives_the_identity(rows):
    fitted = fit_sphering(MIXED[:rows], prior=0)
    np.testing.assert_allclose(covariance(fitted.apply(MIXED[:rows])), np.eye(8), atol=1e-6)
    np.testing.assert_allclose(fitted.apply(MIXED[:rows]).mean(axis=0), 0, atol=1e-8)


def test_sphering_turns_features_as_little_as_can_be():
    """Zero-phase: the map is the symmetric root of the inverse covariance."""
    fitted = fit_sphering(MIXED, prior=0)
    root = fitted.apply(np.eye(8) + fitted.mean)
    np.testing.assert_allclose(root, root.T, atol=1e-10)
    np.testing.assert_allclose(root @ root, np.linalg.inv(covariance(MIXED)), atol=1e-8)


@pytest.mark.parametrize("rows", [60, 5])
def test_a_prior_is_added_to_every_variance(rows):
    """Also to those of axes that few rows do not span: against the formula in D dimensions."""
    X = MIXED[:rows]
    S = covariance(X)
    values, axes = np.linalg.eigh(S + 0.5 * np.trace(S) / 8 * np.eye(8))
    expected = (MIXED - X.mean(axis=0)) @ (axes / np.sqrt(values)) @ axes.T
    np.testing.assert_allclose(fit_sphering(X, prior=0.5).apply(MIXED), expected, atol=1e-8)


def test_few_rows_are_not_blown_up():
    few = RNG.normal(size=(6, 50))
    other = RNG.normal(size=(200, 50))
    assert fit_sphering(few).apply(other).std() < 1.5


@pytest.mark.parametrize("rows", [60, 6])
def test_whitening_gives_the_identity_on_what_it_was_fitted_to(rows):
    Z = fit_whitening(MIXED[:rows], share=1).apply(MIXED[:rows])
    assert Z.shape[1] == min(8, rows - 1)
    np.testing.assert_allclose(covariance(Z), np.eye(Z.shape[1]), atol=1e-6)


def test_whitening_keeps_the_share_of_variance_that_was_asked_for():
    X = RNG.normal(size=(5000, 3)) * [10, 3, 0.1]
    assert fit_whitening(X, share=0.9).apply(X).shape[1] == 1
    Z = fit_whitening(X, share=0.99).apply(X)
    assert Z.shape[1] == 2
    np.testing.assert_allclose(covariance(Z), np.eye(2), atol=1e-8)


def test_coral_without_prior_gives_each_batch_the_covariance_of_all():
    batches = np.repeat(["a", "b"], 30)
    X = MIXED * np.where(batches == "a", 1, 3)[:, None] + np.where(batches == "a", 0, 7)[:, None]
    Z = coral(X, batches, prior=0)
    for batch in "ab":
        np.testing.assert_allclose(covariance(Z[batches == batch]), covariance(X), rtol=1e-6)
        np.testing.assert_allclose(Z[batches == batch].mean(axis=0), X.mean(axis=0))


def test_coral_leaves_equal_batches_as_they_are():
    batches = np.repeat(["a", "b"], 60)
    twice = np.concatenate([MIXED, MIXED])
    np.testing.assert_allclose(coral(twice, batches), twice, atol=0.2)
    np.testing.assert_allclose(coral(twice, np.repeat("a", 120)), twice, atol=1e-8)


def test_coral_is_fitted_to_the_reference():
    batches = np.repeat(["a", "b"], 30)
    reference = np.arange(60) % 30 < 20
    X = MIXED + np.where(batches == "a", 0, 7)[:, None]
    Z = coral(X, batches, reference=reference)
    for batch in "ab":
        own = reference & (batches == batch)
        np.testing.assert_allclose(Z[own].mean(axis=0), X[reference].mean(axis=0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_sphering(MIXED, prior=-1), "0 or more"),
        (lambda: fit_whitening(MIXED, share=0), "above 0"),
        (lambda: fit_whitening(MIXED[:1]), "two rows at least, got 1"),
        (lambda: fit_sphering(np.ones((4, 2))), "all the same"),
        (lambda: coral(MIXED, ["a"] * 59 + ["b"]), "b has 1"),
        (lambda: coral(MIXED, ["a"] * 55 + ["b"] * 5, prior=0), "raise the prior"),
    ],
)
def test_mistakes_are_explained(call, message):
    with pytest.raises(EmbeddingError, match=message):
        call()

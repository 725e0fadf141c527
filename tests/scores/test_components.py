import numpy as np
import pytest
from sklearn.decomposition import PCA

from cellssl.scores import cluster_kmeans, clusters, components, scaling, standardised_components

RNG = np.random.default_rng(0)
X = (RNG.normal(size=(500, 12)) @ RNG.normal(size=(12, 12)) + 100).astype(np.float32)
X[:, 3] = 7


@pytest.fixture
def in_blocks(monkeypatch):
    monkeypatch.setattr(components, "FEW_ROWS", 10)
    monkeypatch.setattr(scaling, "BLOCK", 64)


def test_blocks_give_the_components_of_scikit_learn(in_blocks):
    scaled = (X - X.mean(axis=0)) / np.where(X.std(axis=0) > 0, X.std(axis=0), 1)
    expected = PCA(5).fit_transform(scaled.astype(np.float64))
    found = standardised_components(X, 5)
    assert found.dtype == np.float32
    signs = np.sign((found * expected).sum(axis=0))
    np.testing.assert_allclose(found * signs, expected, atol=2e-3)


def test_many_rows_and_few_take_the_same_way_out(monkeypatch):
    few = standardised_components(X, 5)
    monkeypatch.setattr(components, "FEW_ROWS", 10)
    many = standardised_components(X, 5)
    np.testing.assert_allclose(np.abs(few), np.abs(many), atol=2e-3)
    assert standardised_components(X, 50).shape == (500, 12)


def test_kmeans_of_very_many_rows_is_fitted_to_a_sample(monkeypatch):
    truth = np.repeat([0, 1, 2], [100, 60, 40])
    rows = RNG.normal(size=(200, 2)) + 20 * np.eye(3)[truth][:, :2]
    monkeypatch.setattr(clusters, "MOST_ROWS", 50)
    np.testing.assert_array_equal(cluster_kmeans(rows, 3), truth)


def test_rows_that_are_all_alike_have_no_components():
    assert not standardised_components(np.full((40, 6), 3.0), 5).any()

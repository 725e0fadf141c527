import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from cellssl.errors import EmbeddingError
from cellssl.scores import (
    ami,
    cluster_kmeans,
    clusters,
    draw_resamples,
    principal_components,
    silhouette,
    standardise,
)


def blobs(n=300, k=3, d=8, seed=0, distance=6.0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % k
    centres = rng.normal(size=(k, d)) * distance
    return (centres[labels] + rng.normal(size=(n, d))).astype(np.float32), labels


def test_standardise_gives_unit_features_and_silences_constant_ones():
    X = np.random.default_rng(0).normal(5, [1, 100, 0], size=(500, 3))
    Z = standardise(X)
    np.testing.assert_allclose(Z.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(Z.std(axis=0), [1, 1, 0], atol=1e-5)


def test_principal_components_are_as_many_as_there_can_be():
    X, _ = blobs(20, d=30)
    assert principal_components(X).shape == (20, 19)
    assert principal_components(X[:, :4]).shape == (20, 4)


def test_kmeans_finds_blobs_and_is_reproducible():
    X, labels = blobs()
    found = cluster_kmeans(X, 3, seed=1)
    assert ami(labels, found) == pytest.approx(1)
    np.testing.assert_array_equal(found, cluster_kmeans(X, 3, seed=1))


def test_kmeans_numbers_clusters_by_size():
    X, labels = blobs()
    keep = (labels == 1) | (np.arange(300) < 90)
    sizes = np.bincount(cluster_kmeans(X[keep], 3))
    assert list(sizes) == sorted(sizes, reverse=True)


def test_kmeans_refuses_more_clusters_than_cells():
    with pytest.raises(EmbeddingError, match="ask for 1 to"):
        cluster_kmeans(np.zeros((3, 2)), 4)


def test_ami_of_permuted_labels_is_chance():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 13, 1500)
    values = [ami(labels, rng.permutation(labels)) for _ in range(20)]
    assert abs(np.mean(values)) < 0.005
    assert ami(labels, labels) == pytest.approx(1)


@pytest.mark.parametrize("score", [ami, draw_resamples(np.zeros(3)).ami])
def test_ami_refuses_missing_labels(score):
    with pytest.raises(EmbeddingError, match="1 of 3 labels are missing"):
        score(np.array(["a", None, "b"], dtype=object), [0, 1, 1])


def test_kmeans_has_ten_starts_unless_rows_and_clusters_are_very_many(monkeypatch):
    asked = []

    def starts(k, *, n_init, random_state):
        asked.append(n_init)
        return KMeans(k, n_init=1, max_iter=1, random_state=random_state)

    monkeypatch.setattr(clusters, "KMeans", starts)
    X, _ = blobs(300)
    cluster_kmeans(X, 3)
    monkeypatch.setattr(clusters, "MOST_COMPARED", 300 * 30)
    cluster_kmeans(X, 3)
    cluster_kmeans(X, 10)
    cluster_kmeans(X, 60)
    assert asked == [10, 10, 3, 1]


def test_silhouette_equals_sklearn():
    X, labels = blobs(distance=1.0)
    assert silhouette(X, labels).mean() == pytest.approx(silhouette_score(X, labels), abs=1e-5)


def test_silhouette_needs_two_labels():
    with pytest.raises(EmbeddingError, match="silhouette"):
        silhouette(np.zeros((5, 2)), np.zeros(5))

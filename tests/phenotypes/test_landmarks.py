"""Very many cells: a sample is clustered, the others join it."""

import anndata as ad
import numpy as np
import pytest
from sklearn.manifold import trustworthiness
from sklearn.metrics import adjusted_rand_score

from cellssl.errors import EmbeddingError
from cellssl.phenotypes import cluster
from cellssl.phenotypes.clustering import landmarks
from cellssl.phenotypes.clustering.landmarks import join_clusters, join_map, nearest_landmarks


@pytest.fixture(scope="module")
def screen():
    """900 cells of three wells and five kinds, one of them rare."""
    rng = np.random.default_rng(0)
    kinds = rng.choice(5, 900, p=[0.3, 0.3, 0.2, 0.15, 0.05])
    X = rng.normal(size=(900, 12)) + 5 * rng.normal(size=(5, 12))[kinds]
    wells = [f"A{1 + (number % 9 > 0) + (number % 9 > 2):02}" for number in range(900)]
    cells = ad.AnnData(X.astype(np.float32), obs={"Metadata_Well": wells})
    cells.obs["kind"] = kinds
    return cells


def test_others_join_the_clusters_and_the_map_of_a_sample(screen, caplog):
    found = cluster(screen, sample=300)
    assert "300 of 900 cells" in caplog.text
    chosen = found.obs["clustered"].to_numpy()
    assert chosen.sum() == 300
    assert found.obs.loc[chosen, "Metadata_Well"].value_counts().tolist() == [100, 100, 100]
    assert adjusted_rand_score(screen.obs["kind"][~chosen], found.obs["leiden"][~chosen]) > 0.95
    sizes = found.obs["leiden"].value_counts().loc[found.obs["leiden"].cat.categories]
    assert sizes.is_monotonic_decreasing
    assert np.isfinite(found.obsm["X_umap"]).all()
    assert trustworthiness(found.obsm["X_pca"], found.obsm["X_umap"], n_neighbors=15) > 0.8
    assert not found.obsp


def test_a_sample_of_all_is_no_sample(screen, caplog):
    whole = cluster(screen, umap=False, sample=None, resolution=1.0)
    sampled = cluster(screen, sample=900, resolution=1.0)
    assert "clustered" not in sampled.obs
    assert not caplog.text
    np.testing.assert_array_equal(whole.obs["leiden"], sampled.obs["leiden"])
    assert "X_umap" not in whole.obsm


def test_nothing_is_left_of_an_earlier_clustering(screen):
    whole = cluster(screen, umap=False, sample=None)
    sampled = cluster(whole, umap=False, sample=300, resolution=1.0)
    assert "neighbors" in whole.uns
    assert not {"neighbors", "stability"} & set(sampled.uns)
    assert not sampled.obsp
    again = cluster(sampled, umap=False, sample=None)
    assert "clustered" in sampled.obs
    assert "clustered" not in again.obs
    np.testing.assert_array_equal(again.obs["kmeans"], whole.obs["kmeans"])


def test_without_a_map_none_is_made(screen):
    found = cluster(screen, sample=300, umap=False)
    assert "X_umap" not in found.obsm
    assert found.obs["leiden"].nunique() >= 4


def test_neighbours_are_those_that_loops_find(monkeypatch):
    monkeypatch.setattr(landmarks, "BLOCK", 7)
    rng = np.random.default_rng(1)
    X, chosen = rng.normal(size=(40, 3)).astype(np.float32), np.arange(0, 40, 3)
    seen = []
    for rows, nearest in nearest_landmarks(X, chosen, neighbours=4):
        for row, own in zip(rows, nearest, strict=True):
            distances = [float(((X[row] - X[other]) ** 2).sum()) for other in chosen]
            assert own.tolist() == np.argsort(distances)[:4].tolist()
            seen.append(int(row))
    assert seen == [row for row in range(40) if row % 3]


def test_cells_join_the_most_frequent_cluster_and_lie_amid_it():
    nearest = np.array([[0, 1, 2], [2, 3, 0], [3, 4, 4]])
    clusters = np.array([1, 1, 0, 0, 2])
    joined = join_clusters(nearest, clusters)
    assert joined.tolist() == [1, 0, 2]
    positions = np.array([[0, 0], [2, 4], [100, 100], [102, 100], [7, 8]], np.float32)
    placed = join_map(nearest, joined, clusters, positions)
    np.testing.assert_allclose(placed, [[1, 2], [101, 100], [7, 8]])


def test_a_sample_too_small_is_refused(screen):
    with pytest.raises(EmbeddingError, match="sample of 9 cells"):
        cluster(screen, sample=9)


def test_joining_shows_how_far_it_is(monkeypatch):
    shown = []
    monkeypatch.setattr(landmarks, "BLOCK", 10)
    monkeypatch.setattr(
        landmarks,
        "track",
        lambda items, what, **how: shown.append((what, len(items), how)) or items,
    )
    components = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    blocks = landmarks.nearest_landmarks(components, np.arange(20), neighbours=3, progress=True)
    assert len(list(blocks)) == 4
    assert shown == [("joining the sample's clusters", 4, {"shown": True})]

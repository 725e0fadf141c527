"""The graph of nearest neighbours: UMAP's weights, where Scanpy looks for them."""

import anndata as ad
import numpy as np
import pytest

from cellssl.phenotypes.clustering import graph
from cellssl.phenotypes.clustering.graph import add_graph, add_map, fuzzy_union, leiden


def cells_of(X: np.ndarray) -> ad.AnnData:
    cells = ad.AnnData(np.zeros((len(X), 1), np.float32))
    cells.obsm["X_pca"] = X.astype(np.float32)
    return cells


def clouds(count: int, *, copies: int = 0) -> np.ndarray:
    """Three clouds of unlike density, the first cell several times among them."""
    random = np.random.default_rng(0)
    X = random.normal(size=(count, 6)) * np.repeat([0.2, 1, 3], -(-count // 3))[:count, None]
    X += 20 * np.repeat(np.eye(3, 6), -(-count // 3), axis=0)[:count]
    X[1 : 1 + copies] = X[0]
    return X


@pytest.mark.filterwarnings("ignore:Tensorflow not installed:ImportWarning")
@pytest.mark.parametrize("copies", [0, 3, 30])
def test_weights_are_umaps(copies: int) -> None:
    from umap.umap_ import fuzzy_simplicial_set

    cells = cells_of(clouds(200, copies=copies))
    indices, distances = graph._nearest(cells.obsm["X_pca"], 15, 0)
    theirs, *_ = fuzzy_simplicial_set(
        np.zeros((200, 1)), 15, None, None, knn_indices=indices, knn_dists=distances
    )
    ours = fuzzy_union(indices, distances)
    np.testing.assert_allclose(ours.toarray(), theirs.toarray(), atol=1e-5)
    assert ours.dtype == np.float32
    assert abs(ours - ours.T).max() == 0


def test_the_nearest_cell_weighs_one_and_all_together_log_k() -> None:
    distances = np.array([[0, 1, 2, 4]] * 5, dtype=float) + np.arange(5)[:, None] * [0, 1, 1, 1]
    indices = (np.arange(5)[:, None] + np.arange(4)) % 5
    beyond = np.maximum(distances - distances[:, [1]], 0)
    sigma = graph._bandwidths(beyond, distances, distances[:, [1]])
    np.testing.assert_allclose(np.exp(-beyond[:, 1:] / sigma).sum(axis=1), np.log2(4), atol=1e-4)
    one_way = fuzzy_union(indices, distances).toarray()
    assert all(one_way[i, (i + 1) % 5] == pytest.approx(1) for i in range(5))


def test_scanpy_finds_the_graph() -> None:
    cells = cells_of(clouds(90))
    add_graph(cells, neighbours=10)
    assert cells.obsp["distances"].shape == (90, 90)
    found = leiden(cells, resolution=0.1)
    assert [len(set(found[start : start + 30].tolist())) for start in (0, 30, 60)] == [1, 1, 1]
    assert len(set(found.tolist())) == 3
    add_map(cells)
    assert cells.obsm["X_umap"].shape == (90, 2)


def test_the_approximate_search_gives_nearly_the_same_graph(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X = clouds(600)
    exact, approximate = cells_of(X), cells_of(X)
    add_graph(exact)
    monkeypatch.setattr(graph, "EXACT_CELLS", 100)
    add_graph(approximate)
    apart = abs(exact.obsp["connectivities"] - approximate.obsp["connectivities"])
    assert (apart > 0.01).nnz < 0.02 * exact.obsp["connectivities"].nnz

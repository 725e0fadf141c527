import numpy as np
import pytest

from cellssl.errors import EmbeddingError
from cellssl.phenotypes import cluster
from cellssl.scores import ami


def test_clusters_and_map_are_added_to_a_copy(make_embedding):
    cells = make_embedding(signal=4)
    cells.layers["raw"], cells.varm["weights"] = 2 * cells.X, np.ones((cells.n_vars, 2))
    cells.raw = cells
    before = cells.copy()
    result = cluster(cells, n_clusters=3)
    assert result.obsm["X_pca"].shape == (144, 12)
    assert result.obsm["X_umap"].shape == (144, 2)
    assert result.uns["cellssl"] == {"name": "sim"}
    np.testing.assert_array_equal(result.layers["raw"], before.layers["raw"])
    np.testing.assert_array_equal(result.raw.X, before.raw.X)
    assert "weights" in result.varm
    for name in ("kmeans", "leiden"):
        assert result.obs[name].dtype == "category"
        assert list(result.obs[name].cat.categories)[:2] == ["0", "1"]
        assert ami(cells.obs["Metadata_MOA"], result.obs[name]) > 0.6
    assert result.obs["kmeans"].nunique() == 3
    np.testing.assert_array_equal(cells.X, before.X)
    assert list(cells.obs.columns) == list(before.obs.columns)
    assert not cells.obsm


def test_clusters_are_reproducible_and_can_be_written(make_embedding, tmp_path):
    one, other = (cluster(make_embedding(), seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.obs["leiden"], other.obs["leiden"])
    np.testing.assert_array_equal(one.obsm["X_umap"], other.obsm["X_umap"])
    assert one.obs["kmeans"].nunique() == one.obs["leiden"].nunique()
    one.write_h5ad(tmp_path / "clustered.h5ad")


def test_too_few_cells_are_refused(make_embedding):
    with pytest.raises(EmbeddingError, match="needs at least 10"):
        cluster(make_embedding()[:9].copy())
    assert cluster(make_embedding()[:10].copy()).n_obs == 10
    with pytest.raises(EmbeddingError, match="above 0, got -1"):
        cluster(make_embedding(), resolution=-1)

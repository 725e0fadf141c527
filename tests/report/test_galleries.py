import numpy as np
import pytest
from scipy import sparse

from cellssl.errors import CropError, EmbeddingError
from cellssl.report import gallery
from cellssl.report.galleries import gallery_rows


def names(figure):
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def test_a_row_a_value_with_its_number_of_cells(embedding, crops):
    figure = gallery(embedding, crops, by="Compound")
    rows = [text.replace(r"\$", "$").splitlines() for text in names(figure)]
    assert {row[0] for row in rows} == set(embedding.obs["Metadata_Compound"])
    assert all(row[1] == "20 cells" for row in rows)


def test_values_choose_rows_and_their_order(embedding, crops):
    figure = gallery(embedding, crops, by="kmeans", values=["2", "0"])
    assert [text.splitlines()[0] for text in names(figure)] == ["2", "0"]
    assert len(names(gallery(embedding, crops, by="kmeans", values=0))) == 1  # type: ignore[arg-type]


def test_files_are_as_good_as_what_they_hold(embedding, crops, tmp_path):
    embedding.write_h5ad(tmp_path / "embedding.h5ad")
    figure = gallery(tmp_path / "embedding.h5ad", str(crops.path), by="leiden")
    assert len(names(figure)) == 5


@pytest.mark.parametrize("which", ["path", "open"])
def test_crops_are_shown_before_they_are_embedded(crops, which):
    figure = gallery(crops if which == "open" else crops.path, by="Compound", values="DMSO")
    assert [text.splitlines() for text in names(figure)] == [["DMSO", "20 cells"]]


def test_pictures_and_embedding_are_not_mistaken_for_each_other(embedding, crops):
    with pytest.raises(CropError, match=r"give the crop file of its cells, too; .* by write_h5ad"):
        gallery(embedding)
    with pytest.raises(EmbeddingError, match="the embedding comes first"):
        gallery(crops, embedding)


def test_sparse_features_are_as_good_as_dense_ones(embedding, crops):
    embedding.X = np.maximum(embedding.X, 0)
    embedding.obsm.pop("X_pca", None)
    expected = gallery(embedding, crops, by="MOA")._repr_png_()
    embedding.X = sparse.csr_matrix(embedding.X)
    assert gallery(embedding, crops, by="MOA")._repr_png_() == expected


def test_cells_are_matched_by_name(embedding, crops):
    groups = embedding.obs["kmeans"].astype(str)
    shuffled = embedding[np.random.default_rng(0).permutation(embedding.n_obs)].copy()
    mixed = gallery_rows(shuffled, crops, shuffled.obs["kmeans"].astype(str), ["1"], cells=100)
    ordered = gallery_rows(embedding, crops, groups, ["1"], cells=100)
    # The draw may differ, the cells of a group may not.
    one, other = (sorted(image.tobytes() for image in rows[0].images) for rows in (ordered, mixed))
    assert one == other
    assert len(one) == int((groups == "1").sum())


def test_typical_cells_come_from_the_half_nearest_to_the_middle(embedding, crops):
    groups = embedding.obs["kmeans"].astype(str)
    inside = (groups == "0").to_numpy()
    embedding.X[np.flatnonzero(inside)[:5]] += 100  # five outliers
    embedding.obsm.pop("X_pca", None)
    outliers = {image.tobytes() for image in _images(embedding, crops, np.flatnonzero(inside)[:5])}
    typical = gallery_rows(embedding, crops, groups, ["0"], cells=13)[0].images
    any_cell = gallery_rows(embedding, crops, groups, ["0"], cells=100, typical=False)[0].images
    assert not outliers & {image.tobytes() for image in typical}
    assert outliers <= {image.tobytes() for image in any_cell}


def _images(embedding, crops, rows):
    alone = embedding[rows].copy()
    groups = alone.obs["kmeans"].astype(str).map(lambda _: "all")
    return gallery_rows(alone, crops, groups, ["all"], cells=100, typical=False)[0].images


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"by": "Moa2"}, "no column 'Moa2'; did you mean 'Metadata_MOA'"),
        ({"by": "kmeans", "values": ["7"]}, "no cell has '7'; there are: 0, 1, 2"),
        ({"by": "kmeans", "values": []}, "nothing is chosen"),
    ],
)
def test_what_cannot_be_shown_is_said(embedding, crops, options, said):
    with pytest.raises(EmbeddingError, match=said):
        gallery(embedding, crops, **options)


def test_crops_of_other_cells_are_refused(embedding, crops):
    embedding.obs_names = [f"other/{name}" for name in embedding.obs_names]
    with pytest.raises(CropError, match=r"none of these cells: .* the embedding 'other/"):
        gallery(embedding, crops, by="kmeans")

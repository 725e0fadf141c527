"""What is wrong with AnnData in the wild: each a clear error, or a degradation that is documented."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from cellssl.errors import EmbeddingError
from cellssl.phenotypes import cluster, combine, evaluate, export_embedding, similarity

FEW = {"label": "MOA", "progress": False, "resamples": 5, "seeds": (0,)}


def nan(cells):
    cells.X[3, 2] = np.nan


def empty_feature(cells):
    cells.X[:, 2] = np.nan


def infinite(cells):
    cells.X[3, 2] = -np.inf


def doubled_names(cells):
    cells.obs_names = ["same", "same", *cells.obs_names[2:]]


def text(cells):
    cells.X = cells.X.astype(object)
    cells.X[0, 0] = "high"


def one_class(cells):
    cells.obs["Metadata_MOA"] = "DMSO"


def no_label(cells):
    del cells.obs["Metadata_MOA"]


def unlabelled(cells):
    cells.obs["Metadata_MOA"] = np.nan


BAD = [
    (
        "NaN",
        nan,
        "1 of 144 cells have NaN or infinite features .first 'W0_1/A01/1/4'; features: 2.: drop",
    ),
    (
        "a feature that is NaN throughout",
        empty_feature,
        "1 of 12 features are NaN or infinite in most cells .first '2'.: drop these features",
    ),
    ("infinite", infinite, "1 of 144 cells have NaN or infinite features"),
    ("cell names that occur twice", doubled_names, "the cell name 'same' occurs twice"),
    ("features that are text", text, "X holds object, wanted numbers"),
    ("one class", one_class, "Metadata_MOA has one class only, 'DMSO': scoring needs at least two"),
    (
        "no column of the label",
        no_label,
        "the cells have no column 'MOA'.* There are: Metadata_Plate",
    ),
    ("a label that is empty", unlabelled, "of 144 cells 144 have no Metadata_MOA. Choose another"),
]


@pytest.mark.parametrize(
    ("change", "said"), [case[1:] for case in BAD], ids=[case[0] for case in BAD]
)
def test_what_cannot_be_scored_is_refused(change, said, make_embedding):
    cells = make_embedding()
    change(cells)
    with pytest.raises(EmbeddingError, match=said):
        evaluate([cells], **FEW)


def test_features_that_others_keep_in_obsm_are_pointed_at(make_embedding, tmp_path):
    cells = make_embedding()
    bare = cells[:, :0].copy()
    bare.obsm["X_scVI"] = cells.X
    path = tmp_path / "scvi.h5ad"
    bare.write_h5ad(path)
    told = r"no features .*make them X: anndata.AnnData\(cells.obsm\['X_scVI'\], obs=cells.obs\)"
    for given in (bare, path):
        with pytest.raises(EmbeddingError, match=told):
            evaluate([given], **FEW)


def test_a_record_that_is_none_of_ours_is_refused(make_embedding, tmp_path):
    cells = make_embedding()
    cells.uns["cellssl"] = "v1"
    path = tmp_path / "odd.h5ad"
    cells.write_h5ad(path)
    with pytest.raises(
        EmbeddingError, match=r"odd.h5ad: uns\[\"cellssl\"\] holds 'v1', .* remove it"
    ):
        evaluate([path], **FEW)


@pytest.mark.parametrize("use", [cluster, similarity, lambda cells: combine([cells, cells])])
@pytest.mark.parametrize("change", [nan, infinite, doubled_names, text])
def test_nor_clustered_compared_or_combined(change, use, make_embedding):
    cells = make_embedding()
    change(cells)
    with pytest.raises(EmbeddingError):
        use(cells)


@pytest.mark.parametrize(
    "use",
    [
        lambda cells, _out: evaluate([cells], **FEW),
        lambda cells, _out: cluster(cells),
        lambda cells, _out: similarity(cells),
        lambda cells, _out: combine([cells, cells]),
        lambda cells, out: export_embedding(cells, out / "x.parquet"),
    ],
)
@pytest.mark.parametrize(
    ("rows", "columns", "said"), [(0, 12, "holds no cells"), (144, 0, "no features")]
)
def test_empty_ones_are_refused_by_all(rows, columns, said, use, make_embedding, tmp_path):
    with pytest.raises(EmbeddingError, match=said):
        use(make_embedding()[:rows, :columns].copy(), tmp_path)


def no_controls(cells):
    del cells.obs["Metadata_Control"]


@pytest.mark.parametrize(
    "rule", ["control-standardise", "control-sphere", "tvn", "control-percentile"]
)
def test_without_controls_what_needs_them_is_refused_and_the_rest_works(rule, make_embedding):
    cells = make_embedding()
    no_controls(cells)
    with pytest.raises(
        EmbeddingError, match=r"needs negative controls: .* take 'plate-standardise'"
    ):
        evaluate([cells], normalise=rule, **FEW)
    assert evaluate([cells], normalise="plate-standardise", **FEW)["value"].notna().any()
    assert similarity(cells).centred == "all wells of each plate"


@pytest.mark.parametrize(
    ("missing", "unknown"),
    [
        (["Plate"], {"ami_plate", "linear_plate"}),
        (["Well"], {f"{kind}_{place}" for kind in ("ami", "linear") for place in ("row", "column", "edge")}),
        (["Batch"], {"ami_batch", "linear_batch", "nscb"}),
        (["Compound"], set()),
        (["Plate", "Well", "Site", "Batch", "Compound", "Concentration", "Control", "Label"], {"knn", "linear"}),
    ],
)  # fmt: skip
def test_missing_columns_cost_the_scores_that_need_them(missing, unknown, make_embedding):
    cells = make_embedding()
    cells.obs = cells.obs.drop(columns=[f"Metadata_{name}" for name in missing])
    table = evaluate([cells], **FEW)
    lost = table[table["value"].isna()]
    assert unknown <= {*lost["metric"], *({"nscb"} - set(table["metric"]))}
    assert (lost["note"] != "").all()
    assert {"ami_kmeans", "silhouette"} <= set(table.loc[table["value"].notna(), "metric"])


def equal(one, other):
    pd.testing.assert_frame_equal(one, other, rtol=1e-4)


def test_concentrations_as_text_are_the_same_treatments(make_embedding):
    cells, texts = make_embedding(), make_embedding()
    texts.obs["Metadata_Concentration"] = texts.obs["Metadata_Concentration"].astype(str)
    found, expected = (evaluate([one], **FEW).drop(columns="note") for one in (texts, cells))
    equal(found, expected)
    table = similarity(texts).treatments
    assert len(table) == len(similarity(cells).treatments)
    texts.obs["Metadata_Concentration"] = texts.obs["Metadata_Concentration"] + " µM"
    assert len(similarity(texts).treatments) == len(table)


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.float64, np.float16])
def test_numbers_of_every_type_are_taken(kind, make_embedding):
    cells = make_embedding()
    whole = (cells.X * 10).round().clip(-100, 100) + (100 if kind is np.uint8 else 0)
    cells.X = whole.astype(np.float32)
    other = cells.copy()
    other.X = whole.astype(kind)
    equal(evaluate([other], **FEW), evaluate([cells], **FEW))
    np.testing.assert_array_equal(
        combine({"a": other, "b": cells}).X, combine({"a": cells, "b": cells}).X
    )


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
def test_sparse_features_are_made_dense(form, make_embedding):
    cells = make_embedding()
    cells.X[cells.X < 0] = 0
    other = cells.copy()
    other.X = form(cells.X)
    equal(evaluate([other], **FEW), evaluate([cells], **FEW))
    found, expected = (cluster(one, umap=False, resolution=1.0) for one in (other, cells))
    np.testing.assert_array_equal(found.obsm["X_pca"], expected.obsm["X_pca"])
    other.X.data[0] = np.nan
    with pytest.raises(EmbeddingError, match="1 of 144 cells have NaN"):
        evaluate([other], **FEW)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_files_that_stay_on_disk_are_read(form, make_embedding, tmp_path):
    cells = make_embedding()
    expected = evaluate([cells], **FEW)
    cells.X = form(cells.X)
    cells.write_h5ad(tmp_path / "a.h5ad")
    backed = ad.read_h5ad(tmp_path / "a.h5ad", backed="r")
    equal(evaluate([backed], **FEW), expected)
    assert combine({"a": backed, "b": cells}).shape == (144, 24)
    export_embedding(backed, tmp_path / "a.parquet")
    assert cluster(backed, umap=False, resolution=1.0).obsm["X_pca"].shape == (144, 12)
    backed.file.close()


def test_of_very_many_cells_a_stated_sample_is_scored(make_embedding, caplog):
    table = evaluate([make_embedding()], sample=100, **FEW)
    assert set(table.loc[~table["metric"].isin(["nsc", "nscb"]), "n"]) == {100}
    assert "100 of 144 cells are scored, evenly over the wells" in caplog.text
    again = evaluate([make_embedding()[::-1].copy()[::-1].copy()], sample=100, **FEW)
    equal(table, again)

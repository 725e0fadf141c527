import tracemalloc

import h5py
import numpy as np
import pandas as pd
import pytest

from cellssl.errors import EmbeddingError
from cellssl.phenotypes import aggregate_profiles, cluster, read_embedding, similarity
from cellssl.phenotypes.columns import require_column
from cellssl.phenotypes.embeddings import profile_tables
from cellssl.phenotypes.embeddings.matching import load_embeddings, match_cells
from cellssl.phenotypes.embeddings.profile_tables import from_table


def as_table(cells):
    features = pd.DataFrame(cells.X, columns=[f"f{i}" for i in range(cells.n_vars)])
    return pd.concat([cells.obs.reset_index(drop=True), features], axis=1)


# anndata says on every writing that its next release will choose Zarr 3.
@pytest.mark.filterwarnings("ignore:Writing zarr v2 data:UserWarning")
@pytest.mark.parametrize("kind", ["h5ad", "zarr", "csv", "csv.gz", "parquet"])
def test_every_format_gives_the_same_cells(kind, make_embedding, tmp_path):
    cells, path = make_embedding(), tmp_path / f"mine.{kind}"
    if kind == "h5ad":
        cells.write_h5ad(path)
    elif kind == "zarr":
        cells.write_zarr(path)
    elif kind == "parquet":
        as_table(cells).to_parquet(path)
    else:
        as_table(cells).to_csv(path, index=False)
    read = read_embedding(path)
    np.testing.assert_allclose(read.X, cells.X, rtol=1e-5)
    assert list(read.obs_names) == list(cells.obs_names)
    assert list(read.obs["Metadata_MOA"]) == list(cells.obs["Metadata_MOA"])
    assert read.uns["cellssl"]["name"] == ("sim" if kind in ("h5ad", "zarr") else "mine")


def test_tables_may_name_their_cells_and_hold_text_and_truth(tmp_path):
    table = pd.DataFrame(
        {"cell_id": ["x", "y"], "note": ["a", "b"], "good": [True, False], "f": [1.0, 2.0]}
    )
    table.to_csv(tmp_path / "t.csv", index=False)
    cells = read_embedding(tmp_path / "t.csv")
    assert list(cells.obs_names) == ["x", "y"]
    assert list(cells.var_names) == ["f"]
    assert set(cells.obs.columns) == {"note", "good"}


def test_a_table_of_many_features_is_not_copied(tmp_path):
    table = pd.DataFrame(np.ones((1000, 2000)), columns=[f"Cells_{i}" for i in range(2000)])
    table.insert(0, "Metadata_Well", "A01")
    tracemalloc.start()
    cells = from_table(table, None, tmp_path / "wells.parquet")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert cells.shape == (1000, 2000)
    assert (cells.X == 1).all()
    assert most < 16e6  # 8 MB of them are the features; the table is 16


def test_long_texts_are_announced(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(profile_tables, "_MUCH", 9)
    (tmp_path / "wells.csv").write_text("Metadata_Well,Cells_a\nA01,1.5\n")
    with caplog.at_level("INFO"):
        read_embedding(tmp_path / "wells.csv")
    assert "GB of text" in caplog.text


def test_own_columns_are_no_features(tmp_path):
    own = ["Metadata_Dose", "Quality_Focus", "Area_Nucleus", "leiden", "kmeans"]
    table = pd.DataFrame({name: [1.0, 2.0] for name in [*own, "Nucleus_Area", "leiden_like"]})
    table.to_csv(tmp_path / "t.csv", index=False)
    cells = read_embedding(tmp_path / "t.csv")
    assert list(cells.var_names) == ["Nucleus_Area", "leiden_like"]
    assert list(cells.obs.columns) == own


def test_numbers_of_places_and_doses_are_no_features(tmp_path):
    table = pd.DataFrame({"Plate": [1, 2], "Concentration": [0.5, 1.0], "Nuclei_Area": [3.0, 4.0]})
    table.to_parquet(tmp_path / "t.parquet")
    wanted = (
        "Plate and Concentration would be read as features.*Metadata_Plate, Metadata_Concentration"
    )
    with pytest.raises(EmbeddingError, match=wanted):
        read_embedding(tmp_path / "t.parquet")
    table.astype({"Plate": str}).drop(columns="Concentration").to_parquet(tmp_path / "t.parquet")
    assert list(read_embedding(tmp_path / "t.parquet").var_names) == ["Nuclei_Area"]


def test_files_that_are_no_embeddings(make_embedding, tmp_path):
    with pytest.raises(EmbeddingError, match="does not exist"):
        read_embedding(tmp_path / "none.h5ad")
    (tmp_path / "x.txt").write_text("")
    with pytest.raises(EmbeddingError, match=r"wanted \.h5ad"):
        read_embedding(tmp_path / "x.txt")
    (tmp_path / "x.h5ad").write_text("no HDF5")
    with pytest.raises(EmbeddingError, match="cannot be read"):
        read_embedding(tmp_path / "x.h5ad")
    (tmp_path / "x.parquet").write_text("no Parquet")
    with pytest.raises(EmbeddingError, match="cannot be read"):
        read_embedding(tmp_path / "x.parquet")
    (tmp_path / "x.csv").write_text("")
    with pytest.raises(EmbeddingError, match="cannot be read"):
        read_embedding(tmp_path / "x.csv")
    (tmp_path / "m.csv").write_text("Metadata_Plate,Metadata_Well\np,A01\n")
    with pytest.raises(EmbeddingError, match="no features"):
        read_embedding(tmp_path / "m.csv")
    with h5py.File(tmp_path / "crops.h5ad", "w") as file:
        file["X"] = np.zeros((5, 0), dtype=np.float32)
    with pytest.raises(EmbeddingError, match="cellssl embed"):
        read_embedding(tmp_path / "crops.h5ad")


def test_names_come_from_provenance_or_the_mapping(make_embedding, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for file in ("embedding.csv", "embedding.csv.gz"):
        as_table(make_embedding()).to_csv(file, index=False)
        assert load_embeddings([file])[0].name == tmp_path.name
    assert load_embeddings([make_embedding("a")])[0].name == "a"
    assert load_embeddings({"b": make_embedding("a")})[0].name == "b"
    loaded = load_embeddings([make_embedding("a", seed=s, weak=True) for s in (0,)])
    assert loaded[0].weak
    with pytest.raises(EmbeddingError, match="two embeddings are called 'a' with no seed"):
        load_embeddings([make_embedding("a"), make_embedding("a")])


def test_cells_are_matched_by_name(make_embedding, caplog):
    one = make_embedding("a")
    other = make_embedding("b")[::-1][:100].copy()
    names, dropped = match_cells(load_embeddings([one, other]))
    assert len(names) == 100
    assert dropped == 44
    assert list(names) == [name for name in one.obs_names if name in set(other.obs_names)]
    assert "44 of 144 cells" in caplog.text
    other.obs_names = [f"other {i}" for i in range(100)]
    with pytest.raises(EmbeddingError, match="no cell in common"):
        match_cells(load_embeddings([one, other]))


def test_a_missing_column_names_the_nearest(make_embedding):
    obs = make_embedding().obs
    assert require_column(obs, "MOA", purpose="the label").name == "Metadata_MOA"
    with pytest.raises(EmbeddingError, match="did you mean 'Metadata_Compound'"):
        require_column(obs, "Metadata_Compund", purpose="the label")


def test_a_column_without_a_name_names_rows_or_is_refused(tmp_path):
    path = tmp_path / "wells.csv"
    path.write_text(",Metadata_Well,a\n3,A01,0.5\n8,A02,0.25\n")
    cells = read_embedding(path)
    assert cells.obs_names.tolist() == ["3", "8"]
    assert cells.var_names.tolist() == ["a"]
    tables = {
        "Metadata_Well,a,\nA01,1,5\nA02,2,6\n": 3,
        ",Metadata_Well,a\n1,A01,2\n1,A02,3\n": 1,
        ",a,\n3,1,5\n8,2,6\n": 3,
    }
    for text, place in tables.items():
        path.write_text(text)
        with pytest.raises(EmbeddingError, match=f"column {place} has no name"):
            read_embedding(path)


def test_the_index_of_cells_has_no_name_of_its_own(tmp_path):
    path = tmp_path / "cells.csv"
    for head in ("cell_id,Metadata_Well,a", ",Metadata_Well,a"):
        path.write_text(f"{head}\nx,A01,0.5\ny,A02,0.25\n")
        cells = read_embedding(path)
        assert cells.obs_names.tolist() == ["x", "y"]
        assert cells.obs_names.name is None


def test_a_table_of_r_parted_by_blanks_is_refused(tmp_path):
    path = tmp_path / "wells.csv"
    path.write_text('"Metadata_Well" "a"\n"1" "A01" 0.5\n"2" "A02" 0.25\n')
    with pytest.raises(EmbeddingError, match=r"parted by blanks.*write\.csv"):
        read_embedding(path)


@pytest.mark.parametrize(
    "use", [aggregate_profiles, cluster, similarity], ids=lambda use: use.__name__
)
def test_what_takes_an_embedding_takes_its_file(use, make_embedding, tmp_path):
    cells, path = make_embedding(), tmp_path / "mine.h5ad"
    cells.write_h5ad(path)
    use(path)
    with pytest.raises(EmbeddingError, match=r"nothing\.h5ad does not exist: make it"):
        use(tmp_path / "nothing.h5ad")
    with pytest.raises(EmbeddingError, match="an AnnData or the path of its file: got NoneType"):
        use(None)
    for take in (use, load_embeddings):
        with pytest.raises(EmbeddingError, match=r"got DataFrame.*anndata.AnnData\(numbers"):
            take(cells.to_df())

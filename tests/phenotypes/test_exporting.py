import json
import re

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from cellssl.errors import EmbeddingError
from cellssl.phenotypes import combine, evaluate, export_embedding, read_embedding

FORMATS = ["parquet", "csv", "csv.gz", "h5ad", ""]


def target(folder, kind):
    return folder / (f"mine.{kind}" if kind else "mine")


@pytest.fixture
def cells(make_embedding):
    """An embedding with a column of every kind, and texts that look like something else."""
    cells = make_embedding(seed=3, weak=True, labels_used={"columns": ["a"], "plates": []})
    n = cells.n_obs
    rng = np.random.default_rng(0)
    cells.X[0, :3] = [1 / 3, 1e-30, -3.4e38]
    cells.obs["Metadata_Center_X"] = rng.random(n) / 3
    cells.obs["Metadata_Center_Y"] = rng.random(n).astype(np.float32)
    cells.obs["Metadata_Note"] = ["NA", "", "nan", "1.0", "None", "true"] * 24
    cells.obs["Metadata_Missing"] = np.where(np.arange(n) % 5, "there", None)
    cells.obs["Metadata_Missing"] = cells.obs["Metadata_Missing"].replace({None: np.nan})
    cells.obs["Metadata_Number"] = [f"0{k}" for k in range(n)]
    cells.obs["Quality_Good"] = np.arange(n) % 2 == 0
    cells.obs["Area_Nucleus"] = np.arange(n, dtype=np.int32)
    cells.obs["Metadata_Sparse"] = np.where(np.arange(n) % 3, np.arange(n) / 7, np.nan)
    cells.obs["leiden"] = pd.Categorical(["0", "1", "2"] * 48, categories=["0", "1", "2", "3"])
    cells.obs["measured"] = rng.random(n)
    cells.var["kind"] = ["x"] * 12
    about = {
        "encoder": {"name": "resnet18", "feature_dim": 12},
        "channels": np.array(["A", "B"], object),
    }
    cells.uns["cellssl"] |= {**about, "scaling": {"percentiles": np.array([1.0, 99.9])}}
    return cells


def same_provenance(one, other):
    assert one.keys() == other.keys()
    for key, value in one.items():
        if isinstance(value, dict):
            same_provenance(value, other[key])
        else:
            np.testing.assert_array_equal(np.asarray(value), np.asarray(other[key]))


def same(read, cells):
    np.testing.assert_array_equal(read.X, cells.X)
    assert read.X.dtype == np.float32
    pd.testing.assert_frame_equal(read.obs, cells.obs, check_names=False)
    pd.testing.assert_frame_equal(read.var, cells.var, check_names=False, check_dtype=False)
    same_provenance(cells.uns["cellssl"], read.uns["cellssl"])
    assert set(read.uns) == {"cellssl"}


@pytest.mark.parametrize("kind", [*FORMATS, "PARQUET"])
def test_every_format_is_read_back_the_same(kind, cells, tmp_path):
    out = target(tmp_path, kind)
    unit = {"unit": "uM"} if kind == "h5ad" else {}
    assert export_embedding(cells, out, **unit) == out
    if kind == "h5ad":  # AnnData writes a text with gaps as categories
        cells.obs["Metadata_Missing"] = cells.obs["Metadata_Missing"].astype("category")
    same(read_embedding(out), cells)


@pytest.mark.parametrize("kind", FORMATS)
def test_what_came_from_a_file_is_read_back_the_same(kind, cells, tmp_path):
    (tmp_path / "in").mkdir()
    source = tmp_path / "in" / "mine.h5ad"
    cells.write_h5ad(source)  # as plain anndata: texts become categories
    out = target(tmp_path, kind)
    export_embedding(source, out, **({"unit": "uM"} if kind == "h5ad" else {}))
    same(read_embedding(out), read_embedding(source))


@pytest.mark.parametrize("kind", FORMATS)
def test_combinations_stay_combinations(kind, make_embedding, tmp_path):
    both = combine([make_embedding("a"), make_embedding("b", seed=1)])
    out = target(tmp_path, kind)
    export_embedding(both, out, **({"unit": "uM"} if kind == "h5ad" else {}))
    assert list(read_embedding(out).var["block"]) == ["a"] * 12 + ["b"] * 12


def test_every_format_is_scored_the_same(make_embedding, tmp_path):
    cells = make_embedding()
    options = {"label": "MOA", "progress": False, "resamples": 5, "seeds": (0,)}
    expected = evaluate([cells], **options)
    for kind in FORMATS:
        out = target(tmp_path, kind)
        export_embedding(cells, out, **({"unit": "uM"} if kind == "h5ad" else {}))
        pd.testing.assert_frame_equal(evaluate([out], **options), expected)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_pycytominer_finds_metadata_and_features_by_name(kind, cells, tmp_path):
    """Its rules (cyto_utils/features.py, 1.7.1): Metadata_ is metadata; Cells_, Nuclei_ … is a feature."""
    cells.var_names = ["Nuclei_Area", *cells.var_names[1:]]
    out = target(tmp_path, kind)
    export_embedding(cells, out)
    table = pd.read_parquet(out) if kind == "parquet" else pd.read_csv(out)
    features = [n for n in table if n.startswith(("Cells", "Nuclei", "Cytoplasm"))]
    metadata = [n for n in table if n.startswith("Metadata_")]
    assert features == ["Nuclei_Area", *(f"Cells_{n}" for n in range(1, 12))]
    assert sorted([*features, *metadata]) == sorted(table.columns)
    assert table["Metadata_Cell"].tolist() == list(cells.obs_names)
    assert {"Metadata_Plate", "Metadata_Well", "Metadata_Site", "Metadata_Compound"} <= set(
        metadata
    )
    assert table["Metadata_Well"].str.fullmatch(r"[A-H]\d\d").all()
    assert (table[features].to_numpy() == cells.X)[:, :].all() or kind == "csv"


def test_a_table_that_another_program_wrote_again_is_still_read(cells, tmp_path):
    export_embedding(cells, tmp_path / "mine.parquet")
    table = pd.read_parquet(tmp_path / "mine.parquet").iloc[::-1]
    table.to_parquet(tmp_path / "theirs.parquet", index=False)  # without cellssl's record
    read = read_embedding(tmp_path / "theirs.parquet")
    assert list(read.obs_names) == list(cells.obs_names[::-1])
    assert list(read.var_names) == [f"Cells_{n}" for n in range(12)]
    np.testing.assert_array_equal(read.X, cells.X[::-1])


def test_a_csv_whose_rows_were_chosen_keeps_names_and_types(cells, tmp_path):
    export_embedding(cells, tmp_path / "mine.csv")
    lines = (tmp_path / "mine.csv").read_text().splitlines(keepends=True)
    (tmp_path / "mine.csv").write_text("".join([lines[0], *lines[:40:-1]]))
    chosen = cells[:39:-1].copy()
    chosen.obs["leiden"] = chosen.obs["leiden"].cat.set_categories(list("0123"))
    same(read_embedding(tmp_path / "mine.csv"), chosen)
    record = json.loads((tmp_path / "mine.cellssl.json").read_text())
    assert record["kind"] == "cellssl embedding"


# The requirements of mantispy's spec/morphology-schema-2.0.md, sections 3, 4, 5, 9, 10, 11, 17.
VAR = "object feature_group feature channel scale angle gray_levels radial_bin params is_feature feature_kind"


def by_the_schema(cells, resolution):
    assert cells.X.dtype == np.float32
    assert set(VAR.split()) <= set(cells.var.columns)
    assert cells.var_names.is_unique
    assert cells.obs_names.is_unique
    assert cells.var["is_feature"].all()
    assert cells.var["feature_kind"].isin(["measurement", "embedding", "derived"]).all()
    about = cells.uns["mantispy"]
    assert (about["schema_version"], about["resolution"]) == ("2.0", resolution)
    well = ["Metadata_Plate", "Metadata_Well"]
    assert list(about["grouped_by"]) == (well if resolution == "well" else [])
    if resolution == "object":
        assert {"Metadata_ImageID", "Metadata_ObjectType", "Metadata_ObjectNumber"} <= set(
            cells.obs
        )
        assert not cells.obs[["Metadata_ImageID", "Metadata_ObjectNumber"]].duplicated().any()
    if "Metadata_Well" in cells.obs:
        assert cells.obs["Metadata_Well"].astype(str).str.fullmatch(r"[A-Z]{1,2}\d\d").all()
    if "Metadata_Control" in cells.obs:
        assert cells.obs["Metadata_Control"].dtype == bool
        kinds = cells.obs["Metadata_Control_Type"]
        assert kinds.isin(["negcon", "poscon", "treatment", "empty"]).all()
        assert ((kinds != "treatment") == cells.obs["Metadata_Control"]).all()
    if "Metadata_Concentration" in cells.obs:
        assert pd.api.types.is_numeric_dtype(cells.obs["Metadata_Concentration"])
        assert "Metadata_ConcentrationUnit" in cells.obs


def test_mantispy_gets_its_schema_for_cells(cells, tmp_path):
    cells.obs["Metadata_Control"] = np.where(
        np.arange(144) < 9, "positive", cells.obs["Metadata_Control"]
    )
    cells.obs["Metadata_Concentration"] = cells.obs["Metadata_Concentration"].astype(str)
    cells.obs["Metadata_Well"] = cells.obs["Metadata_Well"].str.replace("A0", "a")
    export_embedding(cells, tmp_path / "mine.h5ad", unit="uM")
    theirs = ad.read_h5ad(tmp_path / "mine.h5ad")
    by_the_schema(theirs, "object")
    assert set(theirs.var["feature_kind"]) == {"embedding"}
    assert (theirs.obs["Metadata_Control_Type"] == "poscon").sum() == 9
    assert theirs.obs["Metadata_Well"].iloc[0] == "A01"
    assert theirs.obs["Metadata_ImageID"].nunique() == 24
    assert theirs.obs["Metadata_ObjectNumber"].tolist() == cells.obs["Metadata_Label"].tolist()
    assert theirs.uns["mantispy"]["perturbation"]["column"] == "Metadata_Perturbation"
    assert (
        theirs.obs.groupby("Metadata_Perturbation", observed=True)["Metadata_MOA"]
        .nunique()
        .eq(1)
        .all()
    )
    cells.obs["Metadata_Missing"] = cells.obs["Metadata_Missing"].astype("category")
    same(read_embedding(tmp_path / "mine.h5ad"), cells)


def test_a_unit_that_the_cells_say_is_not_contradicted(cells, tmp_path):
    cells.obs["Metadata_ConcentrationUnit"] = "uM"
    for unit in (None, "uM"):
        export_embedding(cells, tmp_path / "mine.h5ad", unit=unit)
        theirs = ad.read_h5ad(tmp_path / "mine.h5ad")
        assert set(theirs.obs["Metadata_ConcentrationUnit"]) == {"uM"}
    with pytest.raises(EmbeddingError, match="says uM, and the unit that is given is nM"):
        export_embedding(cells, tmp_path / "mine.h5ad", unit="nM")


def test_mantispy_gets_its_schema_for_wells_and_for_pictures(make_embedding, tmp_path):
    cells = make_embedding()
    wells = cells[::6].copy()
    wells.obs = wells.obs.drop(
        columns=["Metadata_Site", "Metadata_Label", "Metadata_Concentration"]
    )
    wells.uns["cellssl"]["model"] = "simple-features"
    export_embedding(wells, tmp_path / "wells.h5ad")
    theirs = ad.read_h5ad(tmp_path / "wells.h5ad")
    by_the_schema(theirs, "well")
    assert set(theirs.var["feature_kind"]) == {"measurement"}
    same(read_embedding(tmp_path / "wells.h5ad"), wells)
    pictures = ad.AnnData(
        cells.X, obs=pd.DataFrame({"Metadata_Class": "ant"}, index=cells.obs_names)
    )
    pictures.uns["cellssl"] = {"name": "pictures"}
    export_embedding(pictures, tmp_path / "pictures.h5ad")
    by_the_schema(ad.read_h5ad(tmp_path / "pictures.h5ad"), "object")
    same(read_embedding(tmp_path / "pictures.h5ad"), pictures)


def test_doses_with_gaps_of_pandas_own_are_kept_beside_mantispys(make_embedding, tmp_path):
    cells = make_embedding()[:3].copy()
    cells.obs["Metadata_Concentration"] = pd.array([1, None, 3], dtype="Int64")
    export_embedding(cells, tmp_path / "mine.h5ad", unit="uM")
    read = read_embedding(tmp_path / "mine.h5ad").obs["Metadata_Concentration"]
    assert read.tolist() == [1, pd.NA, 3]


def test_controls_of_a_mantispy_file_of_others_are_understood(make_embedding, tmp_path):
    cells = make_embedding()
    kinds = np.where(cells.obs["Metadata_Control"] == "negative", "negcon", "treatment")
    cells.obs["Metadata_Control_Type"] = kinds
    cells.obs["Metadata_Control"] = kinds != "treatment"
    cells.uns = {"mantispy": {"schema_version": "2.0", "resolution": "object"}}
    cells.write_h5ad(tmp_path / "theirs.h5ad")
    read = read_embedding(tmp_path / "theirs.h5ad")
    assert (read.obs["Metadata_Control"] == make_embedding().obs["Metadata_Control"]).all()


def test_deepprofiler_gets_fields_without_pickles(cells, tmp_path):
    cells = cells[np.random.default_rng(0).permutation(144)].copy()
    export_embedding(cells, tmp_path / "dp")
    files = sorted((tmp_path / "dp" / "features").glob("*/*/*.npz"))
    assert len(files) == 24
    plate, well, site = files[0].parts[-3], files[0].parts[-2], files[0].stem
    with np.load(files[0], allow_pickle=False) as stored:
        assert set(stored.files) == {"features", "locations"}
        features, locations = stored["features"], stored["locations"]
    obs = cells.obs
    here = (obs["Metadata_Plate"] == plate) & (obs["Metadata_Well"] == well)
    np.testing.assert_array_equal(features, cells.X[here.to_numpy()])
    np.testing.assert_array_equal(
        locations, obs.loc[here, ["Metadata_Center_X", "Metadata_Center_Y"]]
    )
    index = pd.read_csv(tmp_path / "dp" / "index.csv", dtype=str)
    assert list(index.columns[:3]) == ["Metadata_Plate", "Metadata_Well", "Metadata_Site"]
    assert len(index) == 24
    assert {"Metadata_Compound", "Metadata_Concentration", "Metadata_MOA"} <= set(index.columns)
    assert "Metadata_Label" not in index.columns
    assert site == "1"


def test_deepprofiler_features_are_read_by_the_importer_too(cells, tmp_path):
    from cellssl.crops import import_features

    export_embedding(cells, tmp_path / "dp")
    out = import_features(
        tmp_path / "dp" / "features", tmp_path / "dp.h5ad", index=tmp_path / "dp" / "index.csv"
    )
    read = read_embedding(out)
    assert sorted(read.X[:, 0]) == sorted(cells.X[:, 0])
    assert set(read.obs["Metadata_MOA"]) == set(cells.obs["Metadata_MOA"])


def without(cells, *columns):
    cells.obs = cells.obs.drop(columns=[f"Metadata_{name}" for name in columns])


def clash(cells):
    cells.obs["Plate"] = "x"


def odd_control(cells):
    cells.obs["Metadata_Control"] = "neg"


def odd_well(cells):
    cells.obs["Metadata_Well"] = "well 1 of 3"


def odd_dose(cells):
    cells.obs["Metadata_Concentration"] = "3 uM"


def odd_plate(cells):
    cells.obs["Metadata_Plate"] = "../up"


def odd_feature(cells):
    cells.var_names = ["Cells_1", *cells.var_names[1:]]


@pytest.mark.parametrize(
    ("out", "change", "unit", "said"),
    [
        ("x.txt", None, None, "no format goes with 'x.txt': wanted .parquet or .csv"),
        ("x.csv", None, "uM", "unit goes with .h5ad"),
        ("x.csv", clash, None, "two columns of obs would have one name"),
        ("x.csv", odd_feature, None, "two columns of var would have one name in the file (Cells_1)"),
        ("x.h5ad", None, None, "wants the unit of Metadata_Concentration, and none was given"),
        ("x.h5ad", None, "µM", "got 'µM': name it with unit= (--unit), one of M, mM, uM"),
        ("x.h5ad", odd_control, "uM", "Metadata_Control 'neg': mantispy's schema knows negative"),
        ("x.h5ad", odd_well, "uM", "Metadata_Well 'well 1 of 3' is no well"),
        ("x.h5ad", odd_dose, "uM", "Metadata_Concentration '3 uM' is no number"),
        ("x", lambda cells: without(cells, "Plate", "Well"), None, "the cells have no Metadata_Plate, Metadata_Well"),
        ("x", odd_plate, None, "Metadata_Plate '../up' cannot name a folder"),
    ],
)  # fmt: skip
def test_what_a_format_cannot_hold_is_said(out, change, unit, said, make_embedding, tmp_path):
    cells = make_embedding()
    if change is not None:
        change(cells)
    with pytest.raises(EmbeddingError, match=re.escape(said)):
        export_embedding(cells, tmp_path / out, unit=unit)
    assert not list(tmp_path.iterdir())


def test_folders_are_whole_or_refused(make_embedding, tmp_path):
    cells = make_embedding()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("precious")
    with pytest.raises(EmbeddingError, match="is there already and not empty"):
        export_embedding(cells, tmp_path / "full")
    with pytest.raises(EmbeddingError, match="is a folder, and none that `cellssl export` wrote"):
        read_embedding(tmp_path / "full")
    for name in ("odd.h5ad", "odd.csv"):
        (tmp_path / name).mkdir()
        with pytest.raises(EmbeddingError, match=rf"{name} is a folder, and none that"):
            read_embedding(tmp_path / name)
    cells.write_h5ad(tmp_path / "full" / "map.h5ad")
    with pytest.raises(EmbeddingError, match=r"full is a folder: name the file in it, .*map.h5ad"):
        read_embedding(tmp_path / "full")
    export_embedding(cells, tmp_path / "new")
    broken = next((tmp_path / "new" / "features").glob("*/*/*.npz"))
    np.savez(broken, features=np.ones((2, 12), np.float32))
    with pytest.raises(EmbeddingError, match=r"cells\.parquet says"):
        read_embedding(tmp_path / "new")
    broken.unlink()
    with pytest.raises(EmbeddingError, match="missing or damaged"):
        read_embedding(tmp_path / "new")


def test_an_embedding_is_not_written_over_itself_and_losses_are_told(
    make_embedding, tmp_path, caplog
):
    cells = make_embedding()
    cells.obsm["X_umap"] = np.zeros((144, 2))
    cells.uns["neighbors"] = {}
    cells.X = sparse.csr_matrix(cells.X)
    cells.write_h5ad(tmp_path / "a.h5ad")
    with pytest.raises(EmbeddingError, match="is the embedding itself"):
        export_embedding(tmp_path / "a.h5ad", tmp_path / "a.h5ad", unit="uM")
    export_embedding(tmp_path / "a.h5ad", tmp_path / "a.parquet")
    assert "not written: obsm['X_umap'], uns['neighbors']" in caplog.text
    np.testing.assert_array_equal(read_embedding(tmp_path / "a.parquet").X, cells.X.toarray())


@pytest.mark.parametrize(("separator", "point"), [(";", ","), (";", "."), ("\t", "."), ("\t", ",")])
def test_tables_of_other_countries_are_read(separator, point, tmp_path):
    table = pd.DataFrame(
        {
            "Metadata_Well": ["A01", "A02", "A03"],
            "Metadata_Concentration": [0.5, 1.5, 2.5],
            "Cells_1": [0.25, -1.5, 3.0],
            "Cells_2": [1e-3, 2.0, 4.5],
            "Cells_3": [1, 2, 4],  # whole numbers are read whatever the mark: it must not be alone
        }
    )
    table.to_csv(tmp_path / "cells.csv", index=False, sep=separator, decimal=point)
    found = read_embedding(tmp_path / "cells.csv")
    assert found.var_names.tolist() == ["Cells_1", "Cells_2", "Cells_3"]
    np.testing.assert_array_equal(found.X, table.iloc[:, 2:].astype(np.float32))
    assert found.obs["Metadata_Concentration"].tolist() == [0.5, 1.5, 2.5]

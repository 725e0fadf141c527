import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cellssl.cli import application
from cellssl.errors import EmbeddingError
from cellssl.phenotypes import (
    aggregate_profiles,
    combine,
    normalise_embedding,
    read_embedding,
    similarity,
)


def with_fields(cells):
    """Put two of the six cells of each well into a second field."""
    cells.obs["Metadata_Site"] = np.tile([1, 1, 1, 1, 2, 2], 24)
    return cells


def test_every_level_has_its_counts(make_embedding):
    cells = with_fields(make_embedding())
    fields = aggregate_profiles(cells, "field")
    assert fields.n_obs == 48
    assert set(fields.obs["Metadata_Cells"]) == {2, 4}
    assert "Metadata_Fields" not in fields.obs
    wells = aggregate_profiles(cells, "well")
    assert wells.n_obs == 24
    counts = wells.obs[["Metadata_Cells", "Metadata_Fields"]]
    assert counts.drop_duplicates().to_numpy().tolist() == [[6, 2]]
    assert wells.obs_names[0] == "W0_1/A01"
    treatments = aggregate_profiles(cells, "treatment")
    row = treatments.obs.loc["taxol 0.3"]
    assert (row["Metadata_Cells"], row["Metadata_Fields"]) == (18, 6)
    assert (row["Metadata_Wells"], row["Metadata_Plates"]) == (3, 3)
    assert treatments.obs.loc["DMSO 0", "Metadata_Wells"] == 6
    assert row["Metadata_MOA"] == "Stabiliser"
    assert "Metadata_Plate" not in treatments.obs
    assert "Metadata_Label" not in wells.obs
    assert treatments.uns["cellssl"]["level"] == "treatment"


@pytest.mark.parametrize("statistic", ["median", "mean"])
def test_each_step_is_taken_from_the_one_below(make_embedding, statistic):
    cells = with_fields(make_embedding())
    keys = ["Metadata_Compound", "Metadata_Concentration", "Metadata_Plate", "Metadata_Well"]
    frame = pd.concat([cells.obs, pd.DataFrame(cells.X, index=cells.obs_names)], axis=1)
    columns = list(range(12))
    wells = frame.groupby(keys)[columns].agg(statistic)
    expected = wells.groupby(level=[0, 1]).agg(statistic)
    found = aggregate_profiles(cells, "treatment", aggregate=statistic)
    names = [f"{compound} {dose:g}" for compound, dose in expected.index]
    np.testing.assert_allclose(found[names].X, expected, atol=1e-5)
    fields = frame.groupby([*keys, "Metadata_Site"])[columns].agg(statistic)
    expected = (
        fields.groupby(level=[0, 1, 2, 3]).agg(statistic).groupby(level=[0, 1]).agg(statistic)
    )
    through = aggregate_profiles(cells, "treatment", aggregate=statistic, through_fields=True)
    np.testing.assert_allclose(through[names].X, expected, atol=1e-5)
    assert not np.allclose(through.X, found.X, atol=1e-3)


def test_wells_of_wells_keep_their_cells(make_embedding):
    cells = make_embedding()
    wells = aggregate_profiles(cells, "well")
    treatments = aggregate_profiles(wells, "treatment")
    np.testing.assert_allclose(treatments.X, aggregate_profiles(cells, "treatment").X, atol=1e-6)
    assert treatments.obs["Metadata_Cells"].sum() == 144
    assert similarity(wells).treatments["cells"].tolist() == (
        similarity(cells).treatments["cells"].tolist()
    )


def test_what_the_rows_disagree_on_is_missing(make_embedding):
    cells = make_embedding()
    cells.obs["Metadata_Batch"] = np.where(
        (cells.obs["Metadata_Compound"] == "taxol") & (cells.obs["Metadata_Plate"] == "W0_1"),
        "other",
        "same",
    )
    found = aggregate_profiles(cells, "treatment").obs["Metadata_Batch"]
    assert found.isna().sum() == 2
    assert found["docetaxel 1"] == "same"


def test_cells_without_treatment_are_left_out_and_counted(make_embedding, caplog):
    cells = make_embedding()
    cells.obs["Metadata_Compound"] = cells.obs["Metadata_Compound"].replace("taxol", "")
    assert aggregate_profiles(cells, "treatment").n_obs == 5
    assert "36 rows without treatment" in caplog.text


@pytest.mark.parametrize("ending", ["parquet", "csv", "csv.gz", "h5ad", "H5AD"])
def test_profiles_are_read_back_the_same(make_embedding, tmp_path, ending):
    out = tmp_path / "new" / f"wells.{ending}"
    wells = aggregate_profiles(make_embedding(), "well", out=out)
    again = read_embedding(out)
    assert list(again.obs_names) == list(wells.obs_names)
    assert list(again.var_names) == list(wells.var_names)
    np.testing.assert_array_equal(again.X, wells.X)
    assert again.uns["cellssl"]["level"] == "well"
    assert again.obs["Metadata_Cells"].tolist() == [6] * 24
    assert again.obs["Metadata_Well"].tolist() == wells.obs["Metadata_Well"].tolist()


def test_a_file_is_as_good_as_what_it_holds_and_no_result_shares_its_record(
    make_embedding, tmp_path
):
    cells = make_embedding()
    cells.uns["cellssl"]["scaling"] = {"per": "plate"}
    cells.write_h5ad(tmp_path / "cells.h5ad")
    for make in (aggregate_profiles, lambda adata: normalise_embedding(adata, "standardise")):
        found = make(cells)
        np.testing.assert_array_equal(make(tmp_path / "cells.h5ad").X, found.X)
        found.uns["cellssl"]["scaling"]["per"] = "global"
    assert cells.uns["cellssl"]["scaling"] == {"per": "plate"}


def test_mistakes_are_explained(make_embedding, tmp_path):
    cells = make_embedding()
    with pytest.raises(EmbeddingError, match="wanted field, well, treatment"):
        aggregate_profiles(cells, "plate")
    with pytest.raises(EmbeddingError, match="median, mean, trimmed-mean"):
        aggregate_profiles(cells, aggregate="max")
    with pytest.raises(EmbeddingError, match=r"\.parquet"):
        aggregate_profiles(cells, "well", out=tmp_path / "wells.xlsx")
    del cells.obs["Metadata_Site"]
    with pytest.raises(EmbeddingError, match="Metadata_Site"):
        aggregate_profiles(cells, "field")
    with pytest.raises(EmbeddingError, match="no fields to go through"):
        aggregate_profiles(cells, through_fields=True)
    cells.obs["Metadata_Cells"] = 0.5
    with pytest.raises(EmbeddingError, match="whole numbers"):
        aggregate_profiles(cells)


def test_an_embedding_is_normalised_as_a_whole(make_embedding):
    cells = make_embedding(plate_effect=5)
    found = normalise_embedding(cells, "plate-standardise")
    assert list(found.var_names) == list(cells.var_names)
    assert found.uns["cellssl"] == {"name": "sim", "normalisation": "plate-standardise"}
    for plate in ("W0_1", "W1_1"):
        rows = (cells.obs["Metadata_Plate"] == plate).to_numpy()
        np.testing.assert_allclose(found.X[rows].mean(axis=0), 0, atol=1e-4)
    both = combine({"a": cells, "b": cells[:, :3]})
    beside = normalise_embedding(both, "standardise")
    spread = beside.to_df().var().groupby(beside.var["block"]).sum()
    assert spread["a"] == pytest.approx(spread["b"])  # 12 features weigh as much as 3
    factors = normalise_embedding(cells, "control-standardise+factor-analysis")
    assert factors.shape == (144, 12)


def test_the_command_writes_wells(make_embedding, tmp_path):
    make_embedding().write_h5ad(tmp_path / "cells.h5ad")
    out = tmp_path / "wells.parquet"
    options = ["--normalise", "control-standardise+factor-analysis", "--aggregate", "trimmed-mean"]
    done = CliRunner().invoke(
        application.app, ["profiles", str(tmp_path / "cells.h5ad"), "-o", str(out), *options]
    )
    assert done.exit_code == 0, done.output
    assert "24 wells of 144 cells (6 to 6 each), 12 features" in done.output
    assert read_embedding(out).shape == (24, 12)

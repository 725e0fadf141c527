import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cellssl.cli import application
from cellssl.errors import EmbeddingError
from cellssl.phenotypes import choose_resolution, cluster, scan_resolutions
from cellssl.phenotypes.clustering import stability
from cellssl.scores import ami


def blobs(count=4, size=80, apart=12.0):
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(count), size)
    return (rng.normal(size=(len(truth), 8)) + apart * np.eye(8)[truth]).astype(np.float32), truth


def test_blobs_are_found_again():
    X, _ = blobs()
    table = scan_resolutions(X, (0.1, 0.3, 5.0))
    assert table["clusters"].iloc[:2].tolist() == [4, 4]
    assert table["stability"].iloc[:2].tolist() == [1, 1]
    assert table["stability"].iloc[2] < 0.8
    assert table.loc[table["chosen"], "resolution"].tolist() == [0.3]
    assert (table["low"] <= table["stability"]).all()
    assert (table["stability"] <= table["high"]).all()


def test_noise_has_no_stable_clusters(caplog):
    X = np.random.default_rng(0).normal(size=(300, 20)).astype(np.float32)
    table = scan_resolutions(X)
    assert table.loc[table["clusters"] > 1, "stability"].max() < 0.5
    assert "no resolution is stable" in caplog.text


def test_many_cells_are_sampled(monkeypatch):
    monkeypatch.setattr(stability, "SCANNED", 200)
    table = scan_resolutions(blobs(size=200)[0], (0.3,))
    assert table["cells"].tolist() == [200]
    assert table["clusters"].tolist() == [4]


@pytest.mark.parametrize(
    ("clusters", "values", "chosen"),
    [
        ((1, 3, 5), (1.0, 0.9, 0.88), 1.0),  # the finest within 0.05; one cluster does not count
        ((2, 3, 5), (1.0, 0.9, 0.88), 0.1),
        ((2, 9, 20), (0.54, 0.47, 0.52), 0.1),  # not what follows on a less stable one
        ((1, 1, 1), (1.0, 1.0, 1.0), 1.0),
    ],
)
def test_the_choice_is_the_finest_of_the_stable(clusters, values, chosen):
    table = pd.DataFrame({"resolution": [0.1, 0.5, 1.0], "clusters": clusters, "stability": values})
    assert choose_resolution(table) == chosen


def test_the_choice_is_made_without_labels_and_kept(make_embedding, tmp_path):
    cells = make_embedding(signal=4)
    result = cluster(cells)
    table = result.uns["stability"]
    assert table["chosen"].sum() == 1
    assert ami(cells.obs["Metadata_MOA"], result.obs["leiden"]) > 0.6
    mixed = np.random.default_rng(0).permutation(cells.obs["Metadata_MOA"])
    assert abs(ami(mixed, result.obs["leiden"])) < 0.06
    del cells.obs["Metadata_MOA"]
    again = cluster(cells)
    np.testing.assert_array_equal(again.obs["leiden"], result.obs["leiden"])
    result.write_h5ad(tmp_path / "map.h5ad")


def test_features_are_shared_not_copied(make_embedding):
    cells = make_embedding()
    result = cluster(cells, umap=False)
    assert np.shares_memory(result.X, cells.X)
    assert "X_umap" not in result.obsm
    result.obs["leiden"] = "0"
    assert "leiden" not in cells.obs


def test_mistakes_are_explained():
    X, _ = blobs(size=10)
    with pytest.raises(EmbeddingError, match="above 0"):
        scan_resolutions(X, (0.0,))
    with pytest.raises(EmbeddingError, match="two subsamples"):
        scan_resolutions(X, repeats=1)


def test_the_command_says_what_it_chose(make_embedding, tmp_path):
    make_embedding(signal=4).write_h5ad(tmp_path / "cells.h5ad")
    out = tmp_path / "out"
    done = CliRunner().invoke(
        application.app, ["cluster", str(tmp_path / "cells.h5ad"), "-o", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert "the finest within 0.05 of the most stable one" in done.output
    made = {path.name for path in out.iterdir()}
    assert made == {
        "map.h5ad",
        "stability.csv",
        "stability.png",
        "map_leiden.png",
        "map_MOA.png",
        "map_Plate.png",
    }
    done = CliRunner().invoke(
        application.app,
        ["cluster", str(tmp_path / "cells.h5ad"), "-o", str(tmp_path / "b"), "--no-map", "--resolution", "0.5"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert {path.name for path in (tmp_path / "b").iterdir()} == {"map.h5ad"}


def test_maps_are_coloured_by_columns_as_a_person_names_them(make_embedding, tmp_path):
    make_embedding().write_h5ad(tmp_path / "cells.h5ad")
    args = ["cluster", str(tmp_path / "cells.h5ad"), "--resolution", "0.5", "-o"]
    done = CliRunner().invoke(
        application.app, [*args, str(tmp_path / "a"), "--colour", "moa", "--colour", "kmeans"]
    )
    assert done.exit_code == 0, done.output
    assert {path.name for path in (tmp_path / "a").glob("*.png")} == {
        "map_MOA.png",
        "map_kmeans.png",
    }
    done = CliRunner().invoke(application.app, [*args, str(tmp_path / "b"), "--colour", "moo"])
    assert done.exit_code == 1
    assert "no column 'moo'" in done.output
    assert not (tmp_path / "b").exists()  # it is said before the work

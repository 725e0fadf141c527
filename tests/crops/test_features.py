import logging
import pickle

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cellssl.cli.application import app
from cellssl.crops import CropBatch, Crops, import_features, write_crops
from cellssl.errors import CropError
from cellssl.phenotypes import read_embedding


class Trap:
    """What must never be unpickled."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('unpickled')",))


@pytest.fixture
def features(tmp_path):
    """Two fields as DeepProfiler writes them, the metadata pickled."""
    random = np.random.default_rng(0)
    values = random.normal(size=(5, 4)).astype(np.float32)
    places = np.arange(10.0).reshape(5, 2) * 10
    folder = tmp_path / "features"
    for site, rows in (("1", slice(0, 3)), ("2", slice(3, 5))):
        path = folder / "Week1_7" / "B02" / f"{site}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        trap = np.array({"a": Trap()}, dtype=object)
        np.savez(path, features=values[rows], locations=places[rows], metadata=trap)
    return folder, values, places


def test_the_trap_is_one(features):
    folder, _, _ = features
    with (
        np.load(folder / "Week1_7" / "B02" / "1.npz", allow_pickle=True) as stored,
        pytest.raises(SystemExit),
    ):
        stored["metadata"]
    with pytest.raises(SystemExit):
        pickle.loads(pickle.dumps(Trap()))


def test_features_and_index(features, tmp_path):
    folder, values, places = features
    values[1, 2] = np.nan
    path = folder / "Week1_7" / "B02" / "1.npz"
    np.savez(path, features=values[:3], locations=places[:3])
    pd.DataFrame(
        {
            "Metadata_Plate": ["Week1_7"] * 2,
            "Metadata_Well": ["B02"] * 2,
            "Metadata_Site": [1, 2],
            "DNA": ["a.tif", "b.tif"],
            "Metadata_Compound": ["DMSO", "taxol"],
        }
    ).to_csv(tmp_path / "index.csv", index=False)
    out = import_features(folder, tmp_path / "dp.h5ad", index=tmp_path / "index.csv")
    cells = read_embedding(out)
    np.testing.assert_array_equal(cells.X, values[[0, 2, 3, 4]])
    assert cells.obs_names.tolist() == [f"Week1_7/B02/{n}" for n in ("1/1", "1/3", "2/1", "2/2")]
    assert cells.obs["Metadata_Compound"].tolist() == ["DMSO", "DMSO", "taxol", "taxol"]
    assert cells.obs["Metadata_Control"].tolist() == ["negative", "negative", "", ""]
    assert cells.obs["Metadata_Batch"].unique().tolist() == ["Week1"]
    assert cells.obs["Metadata_Center_X"].tolist() == [0, 40, 60, 80]
    assert cells.uns["cellssl"]["name"] == "DeepProfiler"


@pytest.fixture
def crops(features, tmp_path):
    """The same cells in another order, one of them without features, one missing."""
    _, _, places = features
    order = [4, 0, 3, 1]
    obs = pd.DataFrame(
        {
            "Metadata_Plate": "Week1_7",
            "Metadata_Well": "B02",
            "Metadata_Site": ["2", "1", "2", "1"],
            "Metadata_Center_Y": places[order, 1] + 0.3,
            "Metadata_Center_X": places[order, 0] - 0.2,
            "Metadata_MOA": list("wxyz"),
        },
        index=[f"cell{n}" for n in order],
    )
    lone = obs.iloc[:1].assign(Metadata_Center_X=500.0).set_axis(["lone"])
    lost = obs.iloc[:1].assign(Metadata_Center_X=np.nan).set_axis(["of a file without centres"])
    batch = CropBatch(np.zeros((6, 1, 4, 4), np.uint8), None, pd.concat([obs, lone, lost]))
    path = tmp_path / "crops.h5ad"
    return Crops.open(write_crops(path, [batch], channels=["DNA"], size=4, provenance={}))


def test_features_go_to_their_crops(features, crops, tmp_path, caplog):
    folder, values, _ = features
    with caplog.at_level(logging.WARNING):
        out = import_features(folder, tmp_path / "dp.h5ad", crops=crops, name="CNN")
    cells = read_embedding(out)
    assert "1 of 5 cells have no crop: left out" in caplog.text
    assert cells.obs_names.tolist() == ["cell0", "cell1", "cell3", "cell4"]
    assert cells.obs["Metadata_MOA"].tolist() == ["x", "z", "y", "w"]
    np.testing.assert_array_equal(cells.X, values[[0, 1, 3, 4]])
    assert cells.uns["cellssl"]["name"] == "CNN"


def test_mistakes_say_what_to_do(features, crops, crop_file, batch, tmp_path):
    folder, _, _ = features
    out = tmp_path / "dp.h5ad"
    with pytest.raises(CropError, match=r"holds no <plate>/<well>/<site>\.npz"):
        import_features(tmp_path, out)
    with pytest.raises(CropError, match="does not know the centres"):
        import_features(folder, out, crops=crop_file(batch(3), name="other.h5ad"))
    path = folder / "Week1_7" / "B02" / "2.npz"
    np.savez(path, features=np.ones((2, 5)))
    with pytest.raises(CropError, match=r"has 5 features a cell, .* 4: they are of different"):
        import_features(folder, out)
    np.savez(path, features=np.ones((2, 4)), locations=np.ones((3, 2)))
    with pytest.raises(CropError, match=r"locations of shape \(3, 2\)"):
        import_features(folder, out)
    np.savez(path, features=np.array([Trap()], dtype=object))
    with pytest.raises(CropError, match=r"is not DeepProfiler's .npz, or it is damaged"):
        import_features(folder, out)
    path.write_bytes(b"PK cut")
    with pytest.raises(CropError, match="damaged"):
        import_features(folder, out)
    path.unlink()
    (folder / "Week1_7").rename(folder / "other")
    with pytest.raises(CropError, match=r"none of the 3 cells .* other/B02/1"):
        import_features(folder, out, crops=crops)
    assert not out.exists()


def test_on_the_command_line(features, crops, tmp_path):
    folder, _, _ = features
    arguments = ["crops", "features", folder, "--crops", crops.path, "-o", tmp_path / "dp.h5ad"]
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    assert "1 of 5 cells have no crop" in result.output
    assert len(read_embedding(tmp_path / "dp.h5ad")) == 4

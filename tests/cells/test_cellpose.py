"""Stand-ins record how Cellpose's two interfaces are called; the slow tests run the real ones."""

import importlib.metadata
import sys
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import tifffile

from cellssl.cells import CellposeSegmenter, Matches, Segmenter, match_objects
from cellssl.cells.segmentation import cellpose
from cellssl.errors import ModelError, PlateError


def installed():
    """Give the major version that is installed, or 0."""
    try:
        return int(importlib.metadata.version("cellpose").split(".")[0])
    except importlib.metadata.PackageNotFoundError:
        return 0


@pytest.fixture
def install(monkeypatch, tmp_path):
    """Pretend that some version of Cellpose is installed; give the calls that it gets."""
    for cache in (cellpose._load, cellpose._hashed):
        cache.cache_clear()

    def pretend(version, *, offline=False, foreign=False):
        calls = []

        class CellposeModel:
            def __init__(self, **arguments):
                calls.append(arguments)
                if foreign:
                    raise RuntimeError("size mismatch")

            def eval(self, image, **arguments):
                calls.append(arguments | {"shape": image.shape})
                return (image.reshape(*image.shape[:2], -1)[..., -1] > 0).astype(np.uint16), None

        def download(model):
            if offline:
                raise OSError("no network")
            return str(tmp_path / model)

        package, models = ModuleType("cellpose"), ModuleType("cellpose.models")
        models.CellposeModel, models.MODEL_DIR = CellposeModel, tmp_path
        if version < "4":
            models.model_path, models.MODEL_NAMES = download, ["cyto3", "cyto2", "cyto", "nuclei"]
        else:
            models.cache_model_path, models.MODEL_NAMES = download, ["cpsam", "cpdino"]
        monkeypatch.setitem(sys.modules, "cellpose", package)
        monkeypatch.setitem(sys.modules, "cellpose.models", models)
        real = importlib.metadata.version
        monkeypatch.setattr(
            importlib.metadata,
            "version",
            lambda name: version if name == "cellpose" else real(name),
        )
        return calls

    yield pretend
    for cache in (cellpose._load, cellpose._hashed):
        cache.cache_clear()


FIELD = np.zeros((2, 8, 8), np.uint16)
FIELD[1, 2:5, 2:5] = 9


def test_version_4(install, tmp_path):
    calls = install("4.0.6")
    segmenter = CellposeSegmenter()
    labels = segmenter.segment(FIELD, ["GFP", "DNA"])
    assert labels.nuclei.dtype == np.int32
    assert labels.nuclei.sum() == 9
    assert labels.cells is None
    assert calls == [
        {"gpu": False, "pretrained_model": str(tmp_path / "cpsam")},
        {"diameter": None, "shape": (8, 8)},
    ]
    segmenter.segment(FIELD, ["GFP", "DNA"])
    assert len(calls) == 3  # the network was loaded once
    assert segmenter.settings()["models"] == ["cpsam"]
    assert isinstance(segmenter, Segmenter)
    CellposeSegmenter("cpdino").check(["DNA"])


def test_version_3(install, tmp_path):
    calls = install("3.1.1.3")
    CellposeSegmenter("cyto3", diameter=24).segment(FIELD, ["GFP", "DNA"])
    local = tmp_path / "own_model"
    local.write_bytes(b"weights")
    segmenter = CellposeSegmenter(str(local))
    segmenter.segment(FIELD, ["GFP", "DNA"])
    assert calls == [
        {"gpu": False, "model_type": "cyto3"},
        {"diameter": 24, "channels": [0, 0], "shape": (8, 8)},
        {"gpu": False, "pretrained_model": str(local)},
        {"diameter": None, "channels": [0, 0], "shape": (8, 8)},
    ]


@pytest.mark.parametrize("version", ["3.1", "4.0.6"])
def test_cells_have_the_numbers_of_their_nuclei(install, version):
    calls = install(version)
    segmenter = CellposeSegmenter(cells=True, diameter=10)
    segmenter.check(["GFP", "DNA"])
    labels = segmenter.segment(FIELD, ["GFP", "DNA"])
    np.testing.assert_array_equal(labels.cells, labels.nuclei)
    old = version < "4"
    assert segmenter.settings()["models"] == (["nuclei", "cyto3"] if old else ["cpsam", "cpsam"])
    arguments = {"channels": [1, 2]} if old else {}
    assert {"diameter": 20, "channel_axis": -1, "shape": (8, 8, 2)} | arguments in calls
    with pytest.raises(ModelError, match="a channel beside"):
        segmenter.check(["DNA"])


@pytest.mark.parametrize(
    ("channels", "seen"),
    [
        (["Actin", "GFP", "DNA"], [1, 2]),
        (["Actin", "BF", "DNA"], [1]),
        (["BF", "TL", "DNA"], [1, 2]),
    ],
)
def test_cells_are_looked_for_in_brightfield_only_where_there_is_nothing_else(
    install, monkeypatch, channels, seen
):
    install("4.0.6")
    shown = []
    monkeypatch.setattr(cellpose, "body_image", lambda others: shown.append(others) or others[0])
    segmenter = CellposeSegmenter(cells=True)
    segmenter.segment(np.full((3, 8, 8), np.array([1, 2, 3])[:, None, None]), channels)
    assert shown[0][:, 0, 0].tolist() == seen
    assert "bodies" in segmenter.settings()
    assert "bodies" not in CellposeSegmenter().settings()


def test_a_local_model_goes_by_its_bytes(install, tmp_path, monkeypatch):
    install("3.1")
    local = tmp_path / "own"
    local.write_bytes(b"weights")
    segmenter = CellposeSegmenter(str(local))
    first = segmenter.settings()["models_sha256"]
    assert len(first[0]) == 64
    hashed = []
    monkeypatch.setattr(cellpose, "sha256", lambda path: hashed.append(path) or "x")
    assert segmenter.settings()["models_sha256"] == first
    assert hashed == []  # a gigabyte is not read for every field
    local.write_bytes(b"others")
    assert segmenter.settings()["models_sha256"] == ["x"]


def test_what_the_version_does_not_know_is_said_before_the_work(install):
    install("4.0.6")
    with pytest.raises(ModelError, match="Cellpose 4 does not know the model 'cyto3'"):
        CellposeSegmenter("cyto3").check(["DNA"])
    with pytest.raises(ModelError, match="wanted one of cpsam, cpdino, or a local file"):
        CellposeSegmenter("/no/such/file").check(["DNA"])
    with pytest.raises(PlateError, match="--nucleus"):
        CellposeSegmenter().check(["1", "2"])
    install("3.1")
    with pytest.raises(ModelError, match="'cellpose>=4'"):
        CellposeSegmenter("cpsam").check(["DNA"])
    with pytest.raises(ModelError, match="finds no cells"):
        CellposeSegmenter("nuclei", cells=True).check(["GFP", "DNA"])
    with pytest.raises(ValueError, match="diameter: got 0"):
        CellposeSegmenter(diameter=0)


def test_without_cellpose(monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    with pytest.raises(ModelError, match="pip install"):
        CellposeSegmenter().check(["DNA"])


@pytest.mark.parametrize(
    ("version", "model", "file"), [("4.0.6", "cpsam", "cpsam"), ("3.1", "cyto", "cytotorch_0")]
)
def test_without_a_network_it_is_said_what_to_do(install, tmp_path, version, model, file):
    install(version, offline=True)
    with pytest.raises(ModelError) as caught:
        CellposeSegmenter(model).check(["DNA"])
    for said in ("no network", f"({file})", str(tmp_path), "CELLPOSE_LOCAL_MODELS_PATH"):
        assert said in str(caught.value)


def test_a_foreign_model_file(install):
    install("4.0.6", foreign=True)
    with pytest.raises(ModelError, match="could not be loaded as a model of Cellpose 4"):
        CellposeSegmenter().segment(FIELD, ["GFP", "DNA"])


@pytest.mark.slow
@pytest.mark.skipif(installed() < 4, reason="Cellpose 4 is not installed")
@pytest.mark.filterwarnings("ignore")  # those of a network's libraries are not ours to mend
def test_the_real_version_4(tmp_path):
    """Its true network with random weights: the file is read and every call is accepted."""
    import torch
    from cellpose.vit import CPSAM

    cellpose._load.cache_clear()
    torch.manual_seed(0)
    path = tmp_path / "random_model"
    torch.save(CPSAM(dtype=torch.float32).state_dict(), path)
    segmenter = CellposeSegmenter(str(path), cells=True, diameter=20)
    segmenter.check(["GFP", "DNA"])
    field = np.random.default_rng(0).integers(0, 999, (2, 64, 80)).astype(np.uint16)
    labels = segmenter.segment(field, ["GFP", "DNA"])
    for image in (labels.nuclei, labels.cells):
        assert image.shape == (64, 80)
        assert image.dtype == np.int32
    assert set(np.unique(labels.cells)) <= set(np.unique(labels.nuclei))
    broken = tmp_path / "broken"
    broken.write_bytes(b"no model at all")
    with pytest.raises(ModelError, match="could not be loaded"):
        CellposeSegmenter(str(broken)).segment(field, ["GFP", "DNA"])
    cellpose._load.cache_clear()


@pytest.mark.slow
@pytest.mark.skipif(installed() != 3, reason="Cellpose 3 is not installed")
@pytest.mark.filterwarnings("ignore")  # those of a network's libraries are not ours to mend
def test_the_real_version_3(data):
    """Pooled F1 at IoU 0.5 on DSB2018 of the `cyto` network: 0.843 was measured without cellssl."""
    segmenter = CellposeSegmenter(str(data / "weights" / "cytotorch_0"), diameter=24)
    segmenter.check(["DNA"])
    pooled = Matches()
    for name in pd.read_csv(data / "dsb2018" / "index.csv")["image"]:
        image, truth = (
            tifffile.imread(next((data / "dsb2018" / kind).glob(f"{name}*")))
            for kind in ("images", "labels")
        )
        pooled += match_objects(truth, segmenter.segment(image[None], ["DNA"]).nuclei)
    assert 0.82 < pooled.f1 < 0.87

"""Cellpose itself is not needed here: stand-ins record how its two interfaces are called."""

import importlib.metadata
import sys
from types import ModuleType

import numpy as np
import pytest

from cellssl.cells import CellposeSegmenter, Segmenter, cellpose
from cellssl.errors import ModelError


@pytest.fixture
def install(monkeypatch):
    """Pretend that some version of Cellpose is installed; give the calls that it gets."""
    cellpose._load.cache_clear()

    def pretend(version, *, fails=False):
        calls = []

        class CellposeModel:
            def __init__(self, **arguments):
                calls.append(arguments)
                if fails:
                    raise OSError("no network")

            def eval(self, image, **arguments):
                calls.append(arguments)
                return (image > 0).astype(np.uint16), None, None

        package, models = ModuleType("cellpose"), ModuleType("cellpose.models")
        models.CellposeModel = CellposeModel
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
    cellpose._load.cache_clear()


FIELD = np.zeros((2, 8, 8), np.uint16)
FIELD[1, 2:5, 2:5] = 9


def test_version_4(install):
    calls = install("4.0.6")
    segmenter = CellposeSegmenter()
    labels = segmenter.segment(FIELD, ["GFP", "DNA"])
    assert labels.nuclei.dtype == np.int32
    assert labels.nuclei.sum() == 9
    assert calls == [{"gpu": False, "pretrained_model": "cpsam"}, {"diameter": None}]
    segmenter.segment(FIELD, ["GFP", "DNA"])
    assert len(calls) == 3  # the network was loaded once
    assert segmenter.settings()["model"] == "cpsam"
    assert isinstance(segmenter, Segmenter)


def test_version_3(install, tmp_path):
    calls = install("3.1.1.3")
    CellposeSegmenter("cyto3", diameter=24).segment(FIELD, ["GFP", "DNA"])
    local = tmp_path / "own_model"
    local.write_bytes(b"weights")
    segmenter = CellposeSegmenter(str(local))
    segmenter.segment(FIELD, ["GFP", "DNA"])
    assert calls == [
        {"gpu": False, "model_type": "cyto3"},
        {"diameter": 24, "channels": [0, 0]},
        {"gpu": False, "pretrained_model": str(local)},
        {"diameter": None, "channels": [0, 0]},
    ]
    assert len(segmenter.settings()["model_sha256"]) == 64


def test_what_the_version_does_not_know_is_said_before_the_work(install):
    install("4.0.6")
    with pytest.raises(ModelError, match="Cellpose 4 does not know the model 'cyto3'"):
        CellposeSegmenter("cyto3").check(["DNA"])
    with pytest.raises(ModelError, match="wanted one of cpsam, or a local file"):
        CellposeSegmenter("/no/such/file").check(["DNA"])
    install("3.1")
    with pytest.raises(ModelError, match="'cellpose>=4'"):
        CellposeSegmenter("cpsam").check(["DNA"])


def test_without_cellpose(monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    with pytest.raises(ModelError, match="pip install"):
        CellposeSegmenter().check(["DNA"])


def test_a_model_that_cannot_be_loaded(install):
    install("4.0.6", fails=True)
    with pytest.raises(ModelError, match="no network"):
        CellposeSegmenter().segment(FIELD, ["GFP", "DNA"])

"""What functions refuse to be called with, in plain words."""

from inspect import isfunction, signature
from pathlib import Path

import numpy as np
import pytest

import cellssl
from cellssl.arguments import seed_numbers, whole_number
from cellssl.errors import CellsslError, CropError, EmbeddingError, PlateError, ProtocolError


@pytest.mark.parametrize("given", [["a", "b"], None, 3])
def test_what_is_no_path_is_said(given: object, tmp_path: Path) -> None:
    got = {"list": "a list of 2", "NoneType": "None", "int": "3"}[type(given).__name__]
    with pytest.raises(PlateError, match=f"wanted one folder, .* got {got}"):
        cellssl.plates.index(given)  # type: ignore[arg-type]
    with pytest.raises(PlateError, match=f"an index of plates, .* got {got}"):
        cellssl.crop(given, tmp_path / "crops")  # type: ignore[arg-type]
    with pytest.raises(ProtocolError, match=f"wanted a protocol, .* got {got}"):
        cellssl.train("crops.h5ad", given, tmp_path / "run")  # type: ignore[arg-type]
    with pytest.raises(CropError, match=f"wanted one crop file .* got {got}"):
        cellssl.train(given, "bbbc021-expert", tmp_path / "run")  # type: ignore[arg-type]
    with pytest.raises(CellsslError, match=f"wanted a plate's index, .* got {got}"):
        cellssl.run(given, tmp_path / "run", protocol="bbbc021-expert")  # type: ignore[arg-type]


def test_seeds_are_how_many_or_which() -> None:
    assert seed_numbers(2) == (0, 1)
    assert seed_numbers(np.array([7, 5])) == (7, 5)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [0, -1, 1.5, "2", [], [1, 1], [-1], [0.5], None])
def test_what_are_no_seeds_is_said(given: object) -> None:
    with pytest.raises(EmbeddingError, match="seeds: wanted"):
        seed_numbers(given, error=EmbeddingError)  # type: ignore[arg-type]


def test_whole_numbers_may_be_floats() -> None:
    assert whole_number(96.0, "size", least=2) == 96
    assert type(whole_number(np.float32(4), "cells", least=1)) is int
    with pytest.raises(EmbeddingError, match=r"^n_clusters: wanted .* got 2\.5"):
        cellssl.cluster("embedding.h5ad", n_clusters=2.5)  # type: ignore[arg-type]
    with pytest.raises(EmbeddingError, match=r"^resamples: wanted .* 1 or more, got 0"):
        cellssl.evaluate("embedding.h5ad", resamples=0)


@pytest.mark.parametrize("given", ["2", True, 0, -3, float("nan"), float("inf"), [2], None])
def test_what_is_no_whole_number_is_said(given: object) -> None:
    with pytest.raises(EmbeddingError, match=r"^cells: wanted a whole number, 1 or more, got "):
        cellssl.report.gallery("crops.h5ad", cells=given)  # type: ignore[arg-type]


def test_public_functions_want_whole_numbers_alike() -> None:
    asked = set()
    own = {"orientations", "devices", "nodes"}  # words of their own say which these may be
    for function in (cellssl.report.gallery, *(getattr(cellssl, name) for name in cellssl.__all__)):
        kinds = signature(function).parameters.values() if isfunction(function) else ()
        before = [None for one in kinds if one.kind is one.POSITIONAL_OR_KEYWORD]
        whole = {one.name for one in kinds if one.annotation in (int, int | None)}
        for name in whole - own if function is not cellssl.demo else ():
            with pytest.raises(CellsslError, match=f"^{name}: wanted"):
                function(*before, **{name: 1.5})
        asked |= whole
    assert asked > {"size", "sample", "n_clusters", "cells", "draws", "workers", "batch_size"}

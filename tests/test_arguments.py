"""What functions refuse to be called with, in plain words."""

from pathlib import Path

import numpy as np
import pytest

import cellssl
from cellssl.arguments import seed_numbers
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

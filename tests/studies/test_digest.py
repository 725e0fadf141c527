"""Copies are told by what they hold, and long arrays by some of their rows."""

import h5py
import numpy as np
import pytest

from cellssl.studies import digest as module
from cellssl.studies.digest import digest


@pytest.fixture
def crops(tmp_path, monkeypatch):
    """Write a file whose pixels are long, and whose table is not."""
    monkeypatch.setattr(module, "_WHOLE", 1000)
    monkeypatch.setattr(module, "_TABLE", 4000)
    monkeypatch.setattr(module, "_ROWS", 10)

    def write(
        name="a.h5ad",
        *,
        pixel=0,
        well="A01",
        scaling=1.0,
        kind="array",
        middle="c500",
        root="anndata",
    ):
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            pixels = np.zeros((100, 8, 8), np.uint16)
            pixels[pixel] = 7
            file["obsm/crops"] = pixels
            file["obs/well"] = np.array([well.encode()] * 100)
            file["obs/text"] = ["µM", well]
            file["uns/scaling"] = scaling
            file["uns"].attrs["encoding-type"] = kind
            order = [f"c{n}" for n in range(500)] + [middle] + [f"c{n}" for n in range(501, 1200)]
            file["obs"].attrs["column-order"] = np.array(order, dtype=h5py.string_dtype())
            file.attrs["encoding-type"] = root
        return path

    return write


def test_a_copy_has_the_same_one(crops):
    assert digest(crops("a.h5ad")) == digest(crops("b.h5ad"))


@pytest.mark.parametrize(
    "change",
    [
        {"pixel": 99},
        {"well": "B01"},
        {"scaling": 2.0},
        {"kind": "dict"},
        {"middle": "other"},
        {"root": "raw"},
    ],
)
def test_other_pixels_tables_and_settings_have_another(crops, change):
    assert digest(crops("a.h5ad")) != digest(crops("b.h5ad", **change))


def test_of_long_arrays_some_rows_are_read(crops):
    assert digest(crops("a.h5ad", pixel=1)) == digest(crops("b.h5ad", pixel=2))


def test_all_of_a_short_file_counts(crops, monkeypatch):
    monkeypatch.setattr(module, "_WHOLE", 1 << 28)
    assert digest(crops("a.h5ad", pixel=1)) != digest(crops("b.h5ad", pixel=2))

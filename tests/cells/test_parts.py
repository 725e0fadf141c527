import numpy as np
import pytest

from cellssl.cells.objects import FieldCells
from cellssl.cells.parts import Part, read_facts, write_part

CELLS, SIDE = 7, 8


@pytest.fixture
def cells():
    rng = np.random.default_rng(0)
    return FieldCells(
        images=rng.integers(0, 60_000, (CELLS, 2, SIDE, SIDE), np.uint16),
        masks=rng.integers(0, 3, (CELLS, 1, SIDE, SIDE), np.uint8),
        labels=np.arange(1, CELLS + 1, dtype=np.int32),
        centers=rng.uniform(0, 90, (CELLS, 2)),
        areas=rng.integers(1, 99, (CELLS, 1)),
        quality=rng.random((CELLS, 6), np.float32),
        background=np.array([3, 4], np.float32),
        saturated=np.zeros(2, np.float32),
        shape=np.array([90, 91]),
        found=9,
        types="|u1<u2",
    )


@pytest.fixture
def path(cells, tmp_path):
    write_part(tmp_path / "part.npz", cells)
    return tmp_path / "part.npz"


def test_what_is_known_of_a_field_is_read_without_its_pixels(path, cells):
    facts, rows = read_facts(path)
    assert (facts["found"], facts["cut"], facts["dtype"]) == (9, CELLS, "|u1<u2")
    np.testing.assert_array_equal(rows["center"], cells.centers)
    part = Part.open(path)
    assert (part.shape, part.dtype) == (cells.images.shape, cells.images.dtype)
    np.testing.assert_array_equal(part.cells["quality"], cells.quality)


@pytest.mark.parametrize(
    "chosen", [[], [0], [CELLS - 1], [1, 2, 5], range(CELLS)], ids=lambda rows: str(list(rows))
)
def test_pixels_of_chosen_cells_alone(chosen, path, cells):
    marked = np.isin(np.arange(CELLS), list(chosen))
    piece, each = Part.open(path).pixels(marked), cells.images[0].nbytes
    starts = piece.start + each * np.flatnonzero(piece.chosen)
    read = [piece.path.read_bytes()[start : start + each] for start in starts]
    assert b"".join(read) == cells.images[marked].tobytes()

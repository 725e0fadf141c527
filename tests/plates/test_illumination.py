import numpy as np
import pytest
from scipy import ndimage

from cellssl.errors import PlateError
from cellssl.plates import illumination
from cellssl.plates.illumination import FEWEST, GRID, block_means, correct, estimate, expand


def lamp(shape: tuple[int, int]) -> np.ndarray:
    """Light that is brightest off the centre, mean 1."""
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    light = 1 - 0.15 * ((y - 0.2) ** 2 + (x + 0.1) ** 2)
    return light / light.mean()


def fields(number: int, shape: tuple[int, int] = (160, 200)) -> np.ndarray:
    """Random cells on a background, lit by `lamp`: (n, 2, Y, X) uint16."""
    random = np.random.default_rng(0)
    images = np.full((number, 2, *shape), 400.0)
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    for image in images:
        for _ in range(25):
            y, x = random.uniform(0, shape[0]), random.uniform(0, shape[1])
            image += 900 * ((yy - y) ** 2 + (xx - x) ** 2 < 60)
    return (images * lamp(shape) + random.normal(0, 5, images.shape)).astype(np.uint16)


def test_blocks_are_means_also_where_they_do_not_divide():
    field = np.arange(2 * 96 * 64, dtype=np.uint16).reshape(2, 96, 64)
    means = block_means(field)
    assert means.shape == (2, GRID, GRID)
    assert means[1, 3, 5] == pytest.approx(field[1, 9:12, 10:12].mean())
    ramp = np.arange(70 * 50, dtype=np.float32).reshape(1, 70, 50)
    assert block_means(ramp).mean() == pytest.approx(ramp.mean(), rel=1e-5)
    assert np.diff(block_means(ramp)[0], axis=0).mean() == pytest.approx(50 * 70 / GRID, rel=0.02)
    with pytest.raises(PlateError, match="too small"):
        block_means(field[:, :20])


def test_the_lamp_is_found_and_divided_out():
    images = fields(60)
    flat = estimate(np.stack([block_means(image) for image in images]))
    assert flat.mean(axis=(1, 2)) == pytest.approx([1, 1], abs=1e-3)
    truth = block_means(lamp((160, 200))[None])[0]
    assert np.abs(flat / truth - 1).max() < 0.08
    light = expand(flat, (160, 200))
    even = np.stack([correct(image, light) for image in images])
    assert even.dtype == np.uint16
    before, after = (np.median(x, axis=(0, 1)) for x in (images, even))
    assert after.std() < 0.4 * before.std()
    assert even.mean() == pytest.approx(images.mean(), rel=0.01)


@pytest.mark.parametrize("seed", [8, 14])
def test_cells_that_cover_half_of_an_even_field_are_no_lamp(seed):
    """The median is then now a cell, now the background, and two halves may be alike by chance."""
    clouds = np.random.default_rng(seed).normal(size=(FEWEST, 1, GRID, GRID))
    clouds = ndimage.gaussian_filter(clouds, (0, 0, 2, 2))
    assert np.ptp(estimate(100 + 900 / (1 + np.exp(-30 * clouds)))) == 0


def test_whole_numbers_stay_in_their_range():
    field = np.array([[[0, 255], [255, 100]]], np.uint8)
    light = np.full((1, 2, 2), 0.5, np.float32)
    assert correct(field, light).tolist() == [[[0, 255], [255, 200]]]
    assert correct(field.astype(np.float32), light).dtype == np.float32


def test_darkness_is_left_alone():
    flat = estimate(np.zeros((FEWEST, 1, GRID, GRID), np.float32))
    assert (flat == 1).all()


def test_what_no_lamp_does_is_left_alone_and_said(caplog):
    random = np.random.default_rng(0)
    blocks = np.full((30, 1, GRID, GRID), 0.5) + random.normal(0, 0.1, (30, 1, GRID, GRID))
    blocks += np.linspace(0, 4, GRID)  # the dark level is subtracted, and what is left is a ramp
    assert (estimate(blocks.astype(np.float32), names=["plate P1, FITC,"]) == 1).all()
    assert "the illumination of plate P1, FITC, would run from" in caplog.text
    assert "which no lamp does" in caplog.text


def test_too_few_fields_and_missing_packages_are_said():
    with pytest.raises(PlateError, match="wanted 16"):
        estimate(np.ones((3, 1, GRID, GRID), np.float32))
    with pytest.raises(PlateError, match="median, basicpy, none"):
        illumination.check_method("mean")


def test_basicpy_is_asked_where_it_is_installed(monkeypatch):
    """A stand-in with the real one's interface: basicpy itself is not among the test packages."""

    class BaSiC:
        def __init__(self, get_darkfield):
            assert get_darkfield is False

        def fit(self, images):
            assert images.shape == (FEWEST, GRID, GRID)
            self.flatfield = np.linspace(1, 3, GRID * GRID).reshape(GRID, GRID)

    stand_in = type("basicpy", (), {"BaSiC": BaSiC})
    monkeypatch.setattr(illumination.importlib.metadata, "version", lambda _: "2.0.0")
    monkeypatch.setattr(illumination.importlib, "import_module", lambda _: stand_in)
    flat = estimate(np.ones((FEWEST, 2, GRID, GRID), np.float32), "basicpy")
    assert flat[1].min() == pytest.approx(0.5, abs=1e-3)


def test_basicpy_that_is_missing_is_explained(monkeypatch):
    def missing(name):
        raise illumination.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(illumination.importlib.metadata, "version", missing)
    with pytest.raises(PlateError, match="pip install --no-deps basicpy"):
        illumination.check_method("basicpy")


def test_what_lies_below_0_is_left_alone_and_said(caplog):
    """Signed images whose level is taken off, or begins at the type's least value."""
    blocks = np.full((30, 1, GRID, GRID), -32_000, np.float32)
    blocks += np.linspace(0, 1000, GRID, dtype=np.float32)
    assert (estimate(blocks, names=["plate P1, FITC,"]) == 1).all()
    assert "plate P1, FITC, is not corrected for illumination, since" in caplog.text

"""Elastic deformation: a spline that never folds, within the view's one resampling."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from scipy.interpolate import BSpline
from torch import Tensor

from cellssl.augment import View
from cellssl.augment.resampling import make_grid

from .examples import STRONG, draws, keys, make, smooth


@pytest.mark.parametrize(("size", "spacing"), [(24, 8.0), (25, 8.0), (31, 7.5), (16, 40.0)])
def test_elastic_is_a_cubic_spline(size: int, spacing: float) -> None:
    operation = make("elastic", pixels=1.5, spacing=spacing)
    params = operation.parameters(draws("elastic", count=3, size=size))
    points, k = params["points"].double().numpy(), params["points"].shape[-1]
    made = operation.displacement(params, size).numpy()  # type: ignore[attr-defined]
    place = (np.arange(size) + 0.5 - size / 2) / spacing
    hump = BSpline.basis_element(np.arange(-2, 3), extrapolate=False)
    weights = np.nan_to_num(hump(place[:, None] - (np.arange(k) - (k - 1) / 2)))
    assert np.abs(made - weights @ points @ weights.T).max() < 1e-5
    rows, columns = np.meshgrid(place + (k - 1) / 2, place + (k - 1) / 2, indexing="ij")
    for shift, expected in zip(made[0], points[0], strict=True):
        spline = ndimage.map_coordinates(expected, [rows, columns], order=3, prefilter=False)
        assert np.abs(shift - spline).max() < 1e-5


def test_elastic_moves_no_pixel_further_than_it_says() -> None:
    operation = make("elastic", pixels=3.0, spacing=8.0)
    sampled = draws("elastic", count=500, size=24)
    moved = operation.displacement(operation.parameters(sampled), 24)  # type: ignore[attr-defined]
    assert moved.abs().max() <= 3.0
    assert moved.abs().max() > 1.5
    assert abs(float(moved.mean())) < 0.01
    all_one_way = {"points": torch.full((1, 2, 6, 6), 3.0)}  # the weights of a pixel add up to 1
    assert torch.allclose(operation.displacement(all_one_way, 24), torch.tensor(3.0))  # type: ignore[attr-defined]
    for axis in (
        -1,
        -2,
    ):  # smooth: by twice 3 px at most from one lattice point to the next, 8 px on
        assert moved.diff(dim=axis).abs().max() < 2 * 3.0 / 8.0


def test_elastic_never_folds_at_its_limit() -> None:
    operation = make("elastic", pixels=0.48 * 32, spacing=32.0)
    sampled = operation.parameters(draws("elastic", count=200, size=64))["points"]
    extreme = {"points": sampled.sign() * 0.48 * 32}  # every lattice point as far as it may go
    moved = operation.displacement(extreme, 64)  # type: ignore[attr-defined]
    assert least_area(moved.permute(0, 2, 3, 1)) > 0


@pytest.mark.parametrize("other", ["zoom", "resized_crop", "stretch", "rotate"])
@pytest.mark.parametrize("first", [True, False])
def test_elastic_never_folds_among_other_geometry(other: str, first: bool) -> None:
    values = {
        **STRONG[other],
        **({"area": [0.1, 0.3]} if other in ("zoom", "resized_crop") else {}),
    }
    steps = [make("elastic", pixels=0.48 * 16, spacing=16.0), make(other, **values)]
    matrices, offsets = View(steps if first else steps[::-1], 64)._geometry(keys(200))
    read = make_grid(matrices, 64, offsets)
    assert least_area(read, identity=False) > 0


def least_area(grid: Tensor, *, identity: bool = True) -> float:
    """Smallest signed area that a pixel of the result covers in the source."""
    along, down = grid.diff(dim=2)[:, :-1], grid.diff(dim=1)[:, :, :-1]
    if identity:  # the grid holds displacements alone
        along, down = along + torch.tensor([1.0, 0.0]), down + torch.tensor([0.0, 1.0])
    return float((along[..., 0] * down[..., 1] - along[..., 1] * down[..., 0]).min())


def test_elastic_refuses_what_could_fold() -> None:
    with pytest.raises(
        ValueError, match=r"elastic.pixels: expected at most 0.48 of the spacing \(3.984 px\)"
    ):
        make("elastic", pixels=5.0, spacing=8.3)


def test_a_view_with_elastic_reads_where_all_its_geometry_says() -> None:
    image = smooth(40).expand(3, -1, -1, -1)
    turn, shift = make("rotate", degrees=90.0), make("shift", pixels=3.0)
    elastic = make("elastic", pixels=3.0, spacing=8.0)
    view = View([turn, elastic, shift], 16)
    made = view(image, keys(3)).numpy()
    total = View([turn, shift], 16).matrix(keys(3)).double().numpy()
    points = elastic.parameters(draws("elastic", count=3, size=16))
    moved = elastic.displacement(points, 16).double().numpy()  # type: ignore[attr-defined]
    y, x = np.mgrid[:16, :16] - 7.5
    for number in range(3):
        result = np.stack([x + moved[number, 0], y + moved[number, 1], np.ones_like(x)])
        right, down, _ = np.einsum("ij,jyx->iyx", total[number], result)
        expected = ndimage.map_coordinates(
            image[number, 0].numpy(), [down + 19.5, right + 19.5], order=1
        )
        assert np.abs(made[number, 0] - expected).max() < 1e-4

"""Where cells lie and what their outlines are."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

_ANGLES = 256
_DIRECTIONS = np.arange(_ANGLES)[None] * (2 * np.pi / _ANGLES)
_REACH = 96  # no outline goes further from its centre, in pixels
_DARTS = 40  # tries to place a nucleus


@dataclass(frozen=True)
class Tissue:
    """Cells in a plane.

    Attributes
    ----------
    centres
        (K, 2) y and x of each nucleus, in pixels.
    axes
        (K,) direction of each cell's long axis, in radians.
    cells, nuclei
        (Y, X) int32: 0 is background, k + 1 is cell k.
    cell_depth, nucleus_depth
        (Y, X) float32: 0 at the centre, 1 at the outline of the cell (nucleus) that owns the pixel.
    morphology
        Per property an array of length K (see `phenotypes.morphologies`).
    """

    centres: np.ndarray
    axes: np.ndarray
    cells: np.ndarray
    nuclei: np.ndarray
    cell_depth: np.ndarray
    nucleus_depth: np.ndarray
    morphology: dict[str, np.ndarray]


def grow(
    morphology: dict[str, np.ndarray], shape: tuple[int, int], rng: np.random.Generator
) -> Tissue:
    """Place cells in islands without overlapping nuclei, and give each its outline.

    Cells for which no room is found are left out.
    """
    centres, placed = _place(morphology["nucleus_radius"], shape, rng)
    cells = {name: values[placed] for name, values in morphology.items()}
    axes = rng.uniform(0, np.pi, len(centres))
    cell_outlines = _cell_outlines(cells, axes, rng)
    nucleus_outlines = _nucleus_outlines(cells, axes, rng)
    cell_labels, cell_depth = _paint(centres, cell_outlines, shape, _warp(shape, rng))
    nucleus_labels, nucleus_depth = _paint(centres, nucleus_outlines, shape, None)
    inside = nucleus_labels > 0
    cell_labels[inside] = nucleus_labels[inside]
    cell_depth[inside] = np.minimum(cell_depth[inside], 0.6)
    return Tissue(centres, axes, cell_labels, nucleus_labels, cell_depth, nucleus_depth, cells)


def _place(
    radii: np.ndarray, shape: tuple[int, int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Throw darts: islands where a smooth random field is high, nuclei at most just touching."""
    coarse = (shape[0] // 8 + 1, shape[1] // 8 + 1)
    islands = ndimage.gaussian_filter(rng.standard_normal(coarse), 5.5, mode="wrap")
    islands = 1 / (1 + np.exp(-2.2 * islands / islands.std()))
    centres: list[np.ndarray] = []
    placed: list[int] = []
    for number, radius in enumerate(radii):
        darts = rng.integers((0, 0), shape, (_DARTS, 2))
        fits = rng.random(_DARTS) < islands[darts[:, 0] // 8, darts[:, 1] // 8]
        if centres:
            apart = np.linalg.norm(darts[:, None] - np.array(centres)[None], axis=2)
            fits &= (apart > 0.93 * (radius + radii[placed])[None]).all(axis=1)
        if fits.any():
            centres.append(darts[fits.argmax()])
            placed.append(number)
    return np.array(centres, dtype=np.int64).reshape(-1, 2), np.array(placed, dtype=np.int64)


def _cell_outlines(
    cells: dict[str, np.ndarray], axes: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(K, 256) radius in each direction: an oval with pointed protrusions, round in mitosis."""
    number = len(axes)
    spread = cells["cell_spread"][:, None]
    outline = 1 + 0.20 * np.cos(2 * (_DIRECTIONS - axes[:, None]))
    for _ in range(5):
        where = rng.uniform(0, 2 * np.pi, (number, 1))
        length = spread * rng.gamma(2.0, 0.55, (number, 1))
        outline = outline + length * np.exp(
            rng.uniform(9, 24, (number, 1)) * (np.cos(_DIRECTIONS - where) - 1)
        )
    outline = outline * cells["cell_radius"][:, None] / (1 + 0.45 * spread)
    round_ = 1.25 * cells["nucleus_radius"][:, None] * np.ones_like(outline)
    outline = np.where(cells["is_mitotic"][:, None], round_, outline)
    return np.minimum(outline, _REACH - 1)


def _nucleus_outlines(
    cells: dict[str, np.ndarray], axes: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(K, 256) radius in each direction: an ellipse with lobes; a short plate in mitosis."""
    number = len(axes)
    turned = _DIRECTIONS - axes[:, None] - rng.normal(0, 0.4, (number, 1))
    ratio = np.sqrt(rng.uniform(1.05, 1.55, (number, 1)))
    ratio = np.where(cells["is_mitotic"][:, None], 1.6, ratio)
    outline = 1 / np.sqrt((np.cos(turned) / ratio) ** 2 + (np.sin(turned) * ratio) ** 2)
    for order in (2, 3, 4, 5):
        amplitude = cells["nucleus_lobes"][:, None] * rng.normal(0, 1.6 / order, (number, 1))
        outline = outline + amplitude * np.cos(order * _DIRECTIONS + rng.uniform(0, 7, (number, 1)))
    size = cells["nucleus_radius"] * np.where(cells["is_mitotic"], 0.72, 1)
    return np.clip(outline, 0.4, 2.2) * size[:, None]


def _paint(
    centres: np.ndarray,
    outlines: np.ndarray,
    shape: tuple[int, int],
    warp: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Give each pixel to the cell within whose outline it lies deepest."""
    y, x = np.mgrid[-_REACH : _REACH + 1, -_REACH : _REACH + 1]
    distance = np.hypot(y, x).astype(np.float32)
    direction = np.round(np.arctan2(y, x) * (_ANGLES / (2 * np.pi))).astype(np.int64) % _ANGLES
    labels = np.zeros(shape, np.int32)
    depth = np.full(shape, np.inf, np.float32)
    inverse = (1 / outlines).astype(np.float32)
    for number, (row, column) in enumerate(centres):
        reach = int(np.ceil(outlines[number].max() * 1.15)) + 1
        reach = min(reach, _REACH)
        top, left = max(row - reach, 0), max(column - reach, 0)
        bottom, right = min(row + reach + 1, shape[0]), min(column + reach + 1, shape[1])
        here = np.s_[top:bottom, left:right]
        there = np.s_[
            top - row + _REACH : bottom - row + _REACH,
            left - column + _REACH : right - column + _REACH,
        ]
        own = distance[there] * inverse[number][direction[there]]
        if warp is not None:
            own = own * warp[here]
        wins = (own < depth[here]) & (own < 1)
        labels[here][wins] = number + 1
        depth[here][wins] = own[wins]
    depth[labels == 0] = 1
    return labels, depth


def _warp(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Unevenness of outlines, around 1."""
    noise = ndimage.gaussian_filter(rng.standard_normal(shape).astype(np.float32), 6, mode="wrap")
    return np.exp(0.05 * noise / noise.std())

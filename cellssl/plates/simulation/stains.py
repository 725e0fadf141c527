"""What the dyes light up: DNA, microtubules and actin of a tissue, before any optics."""

from functools import lru_cache

import numpy as np
from scipy import fft, ndimage
from skimage.segmentation import find_boundaries

from cellssl.plates.simulation.tissue import Tissue

_STEP = 1.5  # pixels by which a fibre grows at once
_DENSEST = 4.0  # level that bundled microtubules approach


def dna(tissue: Tissue, rng: np.random.Generator) -> np.ndarray:
    """DNA (DAPI): (Y, X) float32, about 1 inside an interphase nucleus, 0 outside."""
    shape, cells = tissue.nuclei.shape, tissue.morphology
    area = np.bincount(tissue.nuclei.ravel(), minlength=len(tissue.centres) + 1)[1:]
    concentration = cells["dna_content"] / np.maximum(area, 1)
    untreated = 1.35 / (np.pi * 14.5**2)
    level = (concentration / untreated) ** 0.6 * np.exp(rng.normal(0, 0.10, len(area)))
    level = level * np.where(cells["is_mitotic"], 1.5, 1)
    texture = _noise(shape, 1.3, rng) + 0.8 * _noise(shape, 3.0, rng)
    contrast = cells["dna_texture"] * np.where(cells["is_mitotic"], 0.3, 1)
    dome = 0.72 + 0.28 * np.sqrt(np.clip(1 - tissue.nucleus_depth**2, 0, 1))
    image = _per_cell(level, tissue.nuclei) * dome
    image *= np.exp(_per_cell(contrast, tissue.nuclei) * texture)
    return (image * (1 - _nucleoli(tissue, rng))).astype(np.float32)


def tubulin(tissue: Tissue, rng: np.random.Generator) -> np.ndarray:
    """Microtubules: (Y, X) float32, about 1 on average in a cell, whatever the phenotype."""
    cells = tissue.morphology
    number = len(tissue.centres)
    fibres = _microtubules(tissue, rng)
    nuclei = (tissue.nuclei > 0).astype(np.float32)
    around = ndimage.gaussian_filter(nuclei, 4.5, truncate=3)
    outside = 1 - 0.5 * ndimage.gaussian_filter(nuclei, 1.5, truncate=3)
    thick = 0.15 + np.sqrt(np.clip(1 - tissue.cell_depth, 0, 1))
    dissolved = thick * outside * np.exp(0.18 * _noise(thick.shape, 2.0, rng))
    collapse = cells["tubulin_collapse"]
    image = _shared(
        tissue,
        [
            (cells["tubulin_fibres"], fibres),
            ((1 - cells["tubulin_fibres"]) * (1 - collapse), dissolved),
            ((1 - cells["tubulin_fibres"]) * collapse, around * outside**3),
        ],
    )
    total = np.exp(rng.normal(0, 0.22, number)) * np.where(cells["is_mitotic"], 0.9, 1)
    image = _DENSEST * np.tanh(image / _DENSEST)
    return (image * _per_cell(total, tissue.cells)).astype(np.float32)


def actin(tissue: Tissue, rng: np.random.Generator) -> np.ndarray:
    """Actin: (Y, X) float32, about 1 on average in a cell, whatever the phenotype."""
    cells = tissue.morphology
    number = len(tissue.centres)
    shape = tissue.cells.shape
    ruffles = np.exp(0.55 * _noise(shape, 5.0, rng))
    rim = find_boundaries(tissue.cells, mode="inner").astype(np.float32)
    cortex = ndimage.gaussian_filter(rim, 1.0, truncate=3) * ruffles
    thick = 0.5 + 0.5 * np.sqrt(np.clip(1 - tissue.cell_depth, 0, 1))
    body = thick * np.exp(0.22 * _noise(shape, 2.2, rng) + 0.15 * _noise(shape, 8.0, rng))
    nuclear = (tissue.nuclei > 0) * np.exp(0.12 * _noise(shape, 2.5, rng))
    shares = [cells[f"actin_{part}"] for part in ("cortex", "fibres", "patches", "nuclear")]
    shares = [np.where(cells["is_mitotic"], share * 0.3, share) for share in shares]
    image = _shared(
        tissue,
        [
            (shares[0], cortex),
            (shares[1], _stress_fibres(tissue, rng)),
            (shares[2], _patches(tissue, rng)),
            (shares[3], nuclear),
            (np.clip(1 - sum(shares), 0, 1), body),
        ],
    )
    total = np.exp(rng.normal(0, 0.18, number))
    return (image * _per_cell(total, tissue.cells)).astype(np.float32)


def _nucleoli(tissue: Tissue, rng: np.random.Generator) -> np.ndarray:
    """Dim spots in the nucleus where there is little DNA: (Y, X), 0 to about 0.5."""
    number = len(tissue.centres)
    shape = tissue.nuclei.shape
    owner = np.repeat(np.arange(number), rng.integers(1, 5, number))
    owner = owner[~tissue.morphology["is_mitotic"][owner]]
    radius = tissue.morphology["nucleus_radius"][owner]
    angle = rng.uniform(0, 2 * np.pi, len(owner))
    away = radius * 0.6 * np.sqrt(rng.random(len(owner)))
    y, x = _places(tissue, owner, away, angle)
    spots = ndimage.gaussian_filter(_drop(y, x, rng.uniform(4, 9, len(owner)), shape), 1.7)
    return np.clip(spots, 0, 0.45)


def _microtubules(tissue: Tissue, rng: np.random.Generator) -> np.ndarray:
    """Curved fibres all over the cell, dense around the nucleus; at the edge they turn along it."""
    cells = tissue.morphology
    number = len(tissue.centres)
    owner = np.repeat(np.arange(number), 110)
    # A quarter of them start at the organising centre, on one side of the nucleus.
    organised = rng.random(len(owner)) < 0.25
    angle = rng.uniform(0, 2 * np.pi, len(owner))
    side = rng.uniform(0, 2 * np.pi, number)[owner]
    angle[organised] = (side + rng.normal(0, 0.5, len(owner)))[organised]
    away = cells["nucleus_radius"][owner] * rng.uniform(0.4, 1.6, len(owner))
    far = rng.random(len(owner)) < 0.4
    away[far] = (cells["cell_radius"][owner] * rng.uniform(0.3, 0.8, len(owner)))[far]
    start = _places(tissue, owner, away, angle)
    heading = angle + rng.normal(0, np.where(organised, 0.7, 1.2), len(owner))
    along = tissue.axes[owner] + np.pi * rng.integers(0, 2, len(owner))
    heading[far] = (along + rng.normal(0, 0.5, len(owner)))[far]
    length = cells["microtubule_length"][owner] * rng.uniform(0.3, 1.4, len(owner))
    return _walk(tissue, owner, start, heading, length, rng, bend=0.07)


def _stress_fibres(tissue: Tissue, rng: np.random.Generator) -> np.ndarray:
    """Straight fibres along the cell's long axis, in bundles."""
    owner = np.repeat(np.arange(len(tissue.centres)), 30)
    reach = 0.8 * tissue.morphology["cell_radius"][owner]
    angle = rng.uniform(0, 2 * np.pi, len(owner))
    away = reach * np.sqrt(rng.random(len(owner)))
    start = _places(tissue, owner, away, angle)
    heading = (
        tissue.axes[owner]
        + rng.normal(0, 0.13, len(owner))
        + np.pi * rng.integers(0, 2, len(owner))
    )
    length = reach * rng.uniform(0.5, 1.4, len(owner))
    return _walk(tissue, owner, start, heading, length, rng, bend=0.012)


def _places(tissue: Tissue, owner: np.ndarray, away: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Give the places that lie so far from the nuclei of their cells, in some direction: (2, K), y and x."""
    return tissue.centres[owner].T + away * np.stack([np.sin(angle), np.cos(angle)])


def _walk(
    tissue: Tissue,
    owner: np.ndarray,
    start: np.ndarray,
    heading: np.ndarray,
    length: np.ndarray,
    rng: np.random.Generator,
    *,
    bend: float,
) -> np.ndarray:
    """Grow all fibres at once, step by step, inside their own cell; give how many pass each pixel.

    `bend` is the deviation of the change of direction, in radians a pixel (a worm-like chain).
    """
    shape = tissue.cells.shape
    slope = np.stack(np.gradient(ndimage.gaussian_filter(tissue.cell_depth, 2.0)))
    slope /= np.maximum(np.linalg.norm(slope, axis=0), 1e-6)
    y, x = start
    dy, dx = np.sin(heading), np.cos(heading)
    points: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for step in np.arange(0, length.max(initial=0), _STEP):
        row, column = np.round(y).astype(np.int64), np.round(x).astype(np.int64)
        inside = (
            (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1]) & (step < length)
        )
        inside[inside] = tissue.cells[row[inside], column[inside]] == owner[inside] + 1
        y, x, dy, dx = y[inside], x[inside], dy[inside], dx[inside]
        owner, length, row, column = owner[inside], length[inside], row[inside], column[inside]
        if not len(y):
            break
        depth = tissue.cell_depth[row, column]
        points.append((y, x, np.clip((length - step) / 12, 0.25, 1) * (1.3 - depth)))
        # Near the edge the outward part of the direction is taken away little by little.
        ny, nx = slope[:, row, column]
        push = np.maximum(dy * ny + dx * nx, 0) * np.clip((depth - 0.6) * 0.9, 0, 0.5)
        turn = rng.normal(0, bend * np.sqrt(_STEP), len(y))
        dy, dx = dy - push * ny + turn * dx, dx - push * nx - turn * dy
        norm = np.hypot(dy, dx)
        dy, dx = dy / norm, dx / norm
        y, x = y + _STEP * dy, x + _STEP * dx
    if not points:
        return np.zeros(shape)
    ys, xs, weights = (np.concatenate(part) for part in zip(*points, strict=True))
    return _drop(ys, xs, weights, shape)


def _patches(tissue: Tissue, rng: np.random.Generator) -> np.ndarray:
    """Draw aggregates: bright spots of different size, more of them towards the edge."""
    number = len(tissue.centres)
    owner = np.repeat(np.arange(number), rng.poisson(14, number))
    angle = rng.uniform(0, 2 * np.pi, len(owner))
    away = tissue.morphology["cell_radius"][owner] * rng.beta(3, 1.7, len(owner))
    y, x = _places(tissue, owner, away, angle)
    weight = rng.gamma(1.2, 1.0, len(owner))
    large = rng.random(len(owner)) < 0.4
    shape = tissue.cells.shape
    return ndimage.gaussian_filter(
        _drop(y[~large], x[~large], weight[~large], shape), 1.0
    ) + ndimage.gaussian_filter(_drop(y[large], x[large], 3 * weight[large], shape), 2.0)


def _shared(tissue: Tissue, parts: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Add parts, each cell's share of each part as asked; a cell of usual area has 1 on average."""
    labels = tissue.cells.ravel()
    number = len(tissue.centres) + 1
    area = np.bincount(labels, minlength=number)[1:]
    # Cells that spread make more protein, though not in proportion: the mean says little of area.
    usual = 3300.0
    amount = usual * (np.maximum(area, 1) / usual) ** 0.7
    image = np.zeros(tissue.cells.shape)
    for share, part in parts:
        mass = np.bincount(labels, weights=part.ravel(), minlength=number)[1:]
        image += _per_cell(amount * share / np.maximum(mass, 1e-3), tissue.cells) * part
    return image


def _per_cell(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Spread one value per cell over its pixels; the background gets 0."""
    return np.concatenate([[0.0], values])[labels]


def _drop(y: np.ndarray, x: np.ndarray, weight: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Add weighted points to an image, each shared among its four nearest pixels."""
    row, column = np.floor(y).astype(np.int64), np.floor(x).astype(np.int64)
    fy, fx = y - row, x - column
    image = np.zeros(shape[0] * shape[1])
    for down, right, part in (
        (0, 0, (1 - fy) * (1 - fx)),
        (0, 1, (1 - fy) * fx),
        (1, 0, fy * (1 - fx)),
        (1, 1, fy * fx),
    ):
        r, c = row + down, column + right
        ok = (r >= 0) & (r < shape[0]) & (c >= 0) & (c < shape[1])
        image += np.bincount(
            r[ok] * shape[1] + c[ok], weights=(weight * part)[ok], minlength=image.size
        )
    return image.reshape(shape)


def _noise(shape: tuple[int, int], scale: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise of mean 0 and deviation 1; `scale` is the sigma of its grains, in pixels."""
    transfer = _transfer(shape, scale)
    real, imaginary = rng.standard_normal((2, *transfer.shape), dtype=np.float32)
    noise = fft.irfft2((real + 1j * imaginary) * transfer, s=shape)
    return (noise - noise.mean()) / noise.std()


@lru_cache(maxsize=16)
def _transfer(shape: tuple[int, int], scale: float) -> np.ndarray:
    """Fourier transform of a Gaussian of standard deviation `scale`."""
    y, x = fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None]
    return np.exp(-2 * (np.pi * scale) ** 2 * (y**2 + x**2)).astype(np.float32)

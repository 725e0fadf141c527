"""Deformation as of soft matter."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import Geometry, Params
from cellssl.augment.quantities import number

_FOLDS = 0.48  # of the spacing: from here on the map may fold (Choi & Lee 2000)


class Elastic(Geometry):
    """Move the points of a lattice by U(−pixels, pixels) each way, and all between smoothly along.

    Free-form deformation by cubic B-splines (Rueckert et al. 1999, IEEE TMI 18:712). No pixel moves
    further than `pixels`, and below 0.48 of the spacing the map never folds (Choi & Lee 2000).
    It is part of the view's one resampling and acts after all other geometry, wherever it stands:
    its lattice and its pixels are the view's.
    """

    pixels: float = number("largest shift of a lattice point, each way", unit="px", high=128.0)
    spacing: float = number("distance between lattice points", 16.0, unit="px", low=4.0, high=512.0)

    name = "elastic"
    invariance = "exact outline"
    neutral = {"points": 0.0}
    nothing = {"pixels": 0.0}
    warps = True

    @classmethod
    def conflicts(cls, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Refuse shifts that could fold the picture over itself."""
        most = _FOLDS * values["spacing"]
        if values["pixels"] <= most:
            return []
        return [
            (
                "pixels",
                f"expected at most {_FOLDS:g} of the spacing ({most:g} px), where nothing folds, "
                f"got {values['pixels']!r}; lower it, or raise spacing",
            )
        ]

    def sample(self, draws: Draws) -> Params:
        """Draw the lattice (N, 2, k, k): shifts right and down in pixels."""
        k = self._points(draws.size)
        largest = self.pixels if draws.strength is None else self.pixels * draws.strength
        shifts = draws.uniform(0, -largest, largest, count=2 * k * k)
        return {"points": shifts.reshape(-1, 2, k, k)}

    def displacement(self, params: Params, size: int) -> Tensor:
        """Blend each pixel's four by four lattice points: (N, 2, size, size)."""
        points = params["points"]
        weights = self._weights(size, points)
        return weights @ points @ weights.T

    def reach(self, half: float) -> float:
        """Look that much further: blends lie between the points they blend."""
        return half + self.pixels

    def _points(self, size: int) -> int:
        """Count the lattice points along a side: one spacing beyond either edge."""
        return math.ceil(size / self.spacing) + 3

    def _weights(self, size: int, like: Tensor) -> Tensor:
        """Give the cubic B-spline weight (size, k) of every lattice point for every pixel."""
        place = torch.arange(size, device=like.device, dtype=like.dtype) + 0.5
        place = (place - size / 2) / self.spacing  # from the middle, in spacings
        k = self._points(size)
        lattice = torch.arange(k, device=like.device, dtype=like.dtype) - (k - 1) / 2
        far = (place[:, None] - lattice).abs()
        near = (4.0 - 6.0 * far**2 + 3.0 * far**3) / 6.0
        edge = (2.0 - far).clamp(min=0.0) ** 3 / 6.0
        return torch.where(far < 1.0, near, edge)

"""Reference spaces: what an operation's displacements are measured in."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cellssl.embedding import IntensityStatistics, intensity_names
from cellssl.embedding.baselines import PRETRAINED
from cellssl.encoders import build, load_pretrained
from cellssl.errors import StudyError
from cellssl.studies.audit.arrangement import ARRANGED, CellArrangement, arrangement_names
from cellssl.studies.audit.measures import MEASURED, CellMeasures, measure_names
from cellssl.training import seeded

# What is measured, and how the measures of some channels are called.
_MEASURED: dict[str, tuple[type[nn.Module], Callable[[Sequence[str]], list[str]]]] = {
    "measures": (CellMeasures, measure_names),
    "arrangement": (CellArrangement, arrangement_names),
    "intensity": (IntensityStatistics, intensity_names),
}
REFERENCES = (*_MEASURED, "random", *PRETRAINED)
USUAL = "measures+arrangement"  # what an audit asks, where it is told nothing else
_PROPERTIES = {**MEASURED, **ARRANGED}  # what each feature is a measure of
_MOST_DIMENSIONS = 48
_KEPT_VARIANCE = 0.995
_FARTHEST = 6.0  # standard deviations: a faulty crop must not set the scale
_BATCH = 128


@dataclass(frozen=True)
class Reference:
    """A way from scaled images to features.

    Attributes
    ----------
    name : str
        How it is called in tables.
    network : nn.Module
        Images (B, C, H, W) in [0, 1] → (B, D).
    features : tuple of str
        Names of the D features; empty where they mean nothing.
    """

    name: str
    network: nn.Module
    features: tuple[str, ...] = ()

    def measure(self, images: Tensor) -> NDArray[np.float64]:
        """Put images (N, C, H, W) through, some at a time: (N, D)."""
        with torch.inference_mode():
            parts = [self.network(images[i : i + _BATCH]) for i in range(0, len(images), _BATCH)]
        return torch.cat(parts).double().numpy()


@dataclass(frozen=True)
class Space:
    """Principal components of standardised features, fitted to the cells as they are.

    Attributes
    ----------
    centre, scale : (D,)
        Mean and standard deviation of each feature.
    axes : (D, P)
        The components that hold 99.5 % of the variance, 48 at most.
    """

    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    axes: NDArray[np.float64]

    @classmethod
    def fit(cls, features: NDArray[np.float64]) -> "Space":
        """Fit it to features (N, D)."""
        centre, scale = features.mean(axis=0), features.std(axis=0)
        scale = np.where(scale > 1e-6, scale, np.inf)  # what never varies says nothing
        flat = np.clip((features - centre) / scale, -_FARTHEST, _FARTHEST)
        _, values, axes = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
        held = np.cumsum(values**2) / max(float((values**2).sum()), 1e-12)
        count = min(_MOST_DIMENSIONS, int((held < _KEPT_VARIANCE).sum()) + 1)
        return cls(centre, scale, axes[:count].T)

    def standardise(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Standardise features (…, D), those far out clipped."""
        flat = (features - self.centre) / self.scale
        return np.clip(flat, -_FARTHEST, _FARTHEST)

    def project(self, standardised: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give components (…, P) of standardised features (…, D)."""
        return standardised @ self.axes


def references_named(
    names: str, channels: Sequence[str], *, weights: str | Path | None, seed: int
) -> list[Reference]:
    """Build the reference spaces of names joined by "+", as in "measures+arrangement"."""
    each = list(dict.fromkeys(names.split("+")))
    return [reference_named(name, channels, weights=weights, seed=seed) for name in each]


def reference_named(
    name: str, channels: Sequence[str], *, weights: str | Path | None = None, seed: int = 0
) -> Reference:
    """Build a reference space.

    Parameters
    ----------
    name
        ``measures`` (intensity, size, texture), ``arrangement`` (direction, handedness, place and
        spots of the cell in the middle), ``intensity`` (the nine statistics per channel of the first
        alone), ``random`` (an untrained ResNet-18 of width 0.5), or a pretrained network's name.
    weights
        A pretrained network's local file.
    seed
        Of the untrained network.

    Raises
    ------
    StudyError
        When there is no such reference.
    ModelError
        When a pretrained network's weights cannot be had.
    """
    if name in _MEASURED:
        network, names = _MEASURED[name]
        return Reference(name, network(), tuple(names(channels)))
    if name == "random":
        with seeded(seed):
            return Reference(name, build("resnet18", len(channels), width=0.5).eval())
    if name not in REFERENCES:
        raise StudyError(
            f"no reference space is called {name!r}; there are {', '.join(REFERENCES)}"
        )
    pretrained = load_pretrained(name, channels=len(channels), weights=weights, size=112)
    return Reference(name, pretrained.eval())


def property_named(feature: str, channels: Sequence[str]) -> str:
    """Say in words what a reference's feature is of.

    Examples
    --------
    >>> property_named("DAPI_mean", ["DAPI"])
    'total intensity of DAPI'
    >>> property_named("DAPI+Actin_side", ["DAPI", "Actin"])
    'handedness of DAPI and Actin'
    """
    firsts = [*channels, *(f"{a}+{b}" for a, b in itertools.combinations(channels, 2))]
    where = next(first for first in firsts if feature.removeprefix(f"{first}_") in _PROPERTIES)
    what = _PROPERTIES[feature.removeprefix(f"{where}_")]
    return f"{what} of {where.replace('+', ' and ')}"

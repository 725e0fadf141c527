"""From integer pixels to [0, 1]: one rule, fitted once, used in training, embedding and figures."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args, overload

import numpy as np

from cellssl.crops.batches import batches
from cellssl.crops.percentiles import PercentileTable, measure
from cellssl.crops.rows import Rows, row_numbers
from cellssl.crops.store import Crops, channel_numbers
from cellssl.errors import CropError

if TYPE_CHECKING:
    import torch


Per = Literal["plate", "global", "cell"]
Transform = Literal["linear", "sqrt", "log"]

_LOG = logging.getLogger(__name__)
_FEW = 200  # cells a plate: with fewer, a plate's percentiles follow its treatments
_WHOLE = "global"
_STEEPNESS = 100.0  # of the log transform: grey values below 1 % of the range stay nearly linear
_LOG_TOP = np.float32(np.log1p(_STEEPNESS))
_TINY = 1e-6


@dataclass(frozen=True)
class Scaling:
    """The rule of intensity scaling.

    Attributes
    ----------
    per : {"plate", "global", "cell"}
        Whose percentiles: each plate's own, those over all plates, or each cell's own.
    percentiles : tuple of float
        What becomes 0 and what becomes 1, in percent.
    transform : {"linear", "sqrt", "log"}
        Applied after scaling: x, √x, or log(1 + 100 x) / log(101).
    """

    per: Per = "plate"
    percentiles: tuple[float, float] = (1.0, 99.9)
    transform: Transform = "linear"

    def __post_init__(self) -> None:
        _check_choice("per", self.per, get_args(Per))
        _check_choice("transform", self.transform, get_args(Transform))
        low, high = (float(value) for value in self.percentiles)
        if not 0 <= low < high <= 100:
            raise ValueError(f"percentiles: got [{low}, {high}], wanted 0 ≤ low < high ≤ 100")
        object.__setattr__(self, "percentiles", (low, high))


@dataclass(frozen=True)
class FittedScaling:
    """A rule with its numbers; it goes into the checkpoint and to every new plate.

    Attributes
    ----------
    rule : Scaling
        The rule.
    channels : tuple of str
        Names in the order of the numbers.
    low, high : dict
        Plate (or "global") → (C,) float32 grey values that become 0 and 1; empty for ``per: cell``.
    """

    rule: Scaling
    channels: tuple[str, ...]
    low: dict[str, np.ndarray] = field(default_factory=dict)
    high: dict[str, np.ndarray] = field(default_factory=dict)

    def bounds(
        self, crops: Crops, rows: Rows | None = None, *, channels: Sequence[str] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Give the grey values that become 0 and 1, per cell.

        Parameters
        ----------
        crops : Crops
            Where the cells are; their pixels are read for ``per: cell`` only (over the whole stored
            crop).
        rows : optional
            Which cells; all by default.
        channels : sequence of str, optional
            Which channels, in which order; those of `crops` by default.

        Returns
        -------
        low, high : ndarray
            (n, C) float32 each, for `scale`.

        Raises
        ------
        CropError
            When a plate or a channel was not there when the scaling was fitted.
        """
        numbers = row_numbers(rows, len(crops))
        wanted = tuple(crops.channels if channels is None else channels)
        if self.rule.per == "cell":
            return _cell_bounds(crops, numbers, wanted, self.rule.percentiles)
        columns = channel_numbers(wanted, self.channels, owner="the scaling")
        keys = crops.plates[numbers] if self.rule.per == "plate" else [_WHOLE] * len(numbers)
        missing = sorted(set(keys) - set(self.low))
        if missing:
            raise CropError(
                f"the scaling was fitted per plate and does not know {', '.join(missing[:5])}; "
                "fit it to these crops with for_crops()"
            )
        shape = (len(numbers), len(wanted))
        low = np.array([self.low[key][columns] for key in keys], np.float32).reshape(shape)
        high = np.array([self.high[key][columns] for key in keys], np.float32).reshape(shape)
        return low, high

    def read(
        self, crops: Crops, rows: Rows, *, channels: Sequence[str] | None = None
    ) -> np.ndarray:
        """Read crops scaled: (n, C, H, W) float32; rows and channels as for `bounds`."""
        low, high = self.bounds(crops, rows, channels=channels)
        pixels = crops.read(rows)
        if channels is not None:
            pixels = pixels[:, channel_numbers(channels, crops.channels, owner=crops.path)]
        return np.asarray(scale(pixels, low, high, transform=self.rule.transform))

    def for_crops(self, other: Crops) -> "FittedScaling":
        """Carry the scaling to other crops.

        ``per: plate`` takes their plates' own numbers, ``global`` keeps the saved ones.
        """
        if self.rule.per == "global":
            channel_numbers(self.channels, other.channels, owner=other.path)
            return self
        return fit_scaling(other, self.rule)

    def to_dict(self) -> dict[str, Any]:
        """Give plain Python numbers, lists and mappings, as a checkpoint or YAML holds them."""
        return {
            "per": self.rule.per,
            "percentiles": list(self.rule.percentiles),
            "transform": self.rule.transform,
            "channels": list(self.channels),
            "low": {key: [float(x) for x in values] for key, values in self.low.items()},
            "high": {key: [float(x) for x in values] for key, values in self.high.items()},
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> "FittedScaling":
        """Read what `to_dict` gave.

        Raises
        ------
        CropError
            When something is missing or of the wrong kind.
        """
        try:
            first, last = saved["percentiles"]
            return cls(
                rule=Scaling(saved["per"], (first, last), saved["transform"]),
                channels=tuple(saved["channels"]),
                low={key: np.asarray(row, np.float32) for key, row in saved["low"].items()},
                high={key: np.asarray(row, np.float32) for key, row in saved["high"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CropError(f"a saved intensity scaling cannot be read: {error!r}") from error


def percentiles_of(crops: Crops, asked: tuple[float, float]) -> PercentileTable:
    """Give a table with the percentiles asked for: that of the crop file, else one measured anew."""
    if set(asked) <= set(crops.percentiles.quantiles):
        return crops.percentiles
    return measure(crops.read, crops.plates, channels=len(crops.channels), quantiles=asked)


def fit_scaling(crops: Crops, rule: Scaling) -> FittedScaling:
    """Find the grey values that a rule maps to 0 and 1 on these crops.

    The percentiles stored with the crops are used where they are the ones asked for, others are
    measured on the same seeded samples of cells.

    Examples
    --------
    >>> fitted = fit_scaling(crops, Scaling(per="global", transform="sqrt"))  # doctest: +SKIP
    >>> low, high = fitted.bounds(crops, rows)  # doctest: +SKIP
    >>> images = scale(crops.read(rows), low, high, transform="sqrt")  # doctest: +SKIP
    """
    if rule.per == "cell":
        return FittedScaling(rule=rule, channels=crops.channels)
    first, last = rule.percentiles
    table = percentiles_of(crops, rule.percentiles)
    if rule.per == "global":
        low, high = {_WHOLE: table.of_all(first)}, {_WHOLE: table.of_all(last)}
    else:
        _warn_few(table)
        low = {plate: table.of_plate(plate, first) for plate in table.plates}
        high = {plate: table.of_plate(plate, last) for plate in table.plates}
    return FittedScaling(rule=rule, channels=crops.channels, low=low, high=high)


@overload
def scale(
    images: np.ndarray, low: np.ndarray, high: np.ndarray, *, transform: str
) -> np.ndarray: ...


@overload
def scale(
    images: "torch.Tensor", low: "torch.Tensor", high: "torch.Tensor", *, transform: str
) -> "torch.Tensor": ...


def scale(images: Any, low: Any, high: Any, *, transform: str) -> Any:
    """Map pixels to [0, 1] by their bounds, then transform.

    Parameters
    ----------
    images : ndarray or Tensor
        (N, C, H, W) of any real type.
    low, high : ndarray or Tensor
        (N, C) as `FittedScaling.bounds` gives, of the same kind and on the same device.
    transform : {"linear", "sqrt", "log"}
        See `Scaling`.

    Returns
    -------
    ndarray or Tensor
        (N, C, H, W) float32 in [0, 1]. A channel whose bounds coincide becomes 0 up to them and 1
        above.
    """
    _check_choice("transform", transform, get_args(Transform))
    low, high = low[:, :, None, None], high[:, :, None, None]
    if isinstance(images, np.ndarray):
        pixels = images.astype(np.float32)
        pixels -= low
        pixels /= np.maximum(high - low, _TINY)
        pixels.clip(0, 1, out=pixels)
        if transform == "sqrt":
            return np.sqrt(pixels, out=pixels)
        return np.log1p(pixels * _STEEPNESS) / _LOG_TOP if transform == "log" else pixels
    # Tensor methods only: this module must not import torch, segmentation workers read it too.
    scaled = ((images.float() - low) / (high - low).clamp_min(_TINY)).clamp(0, 1)
    if transform == "sqrt":
        return scaled.sqrt()
    return (scaled * _STEEPNESS).log1p() / float(_LOG_TOP) if transform == "log" else scaled


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(f"{name}: got {value!r}, wanted one of {', '.join(choices)}")


def _cell_bounds(
    crops: Crops, rows: np.ndarray, channels: Sequence[str], percentiles: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Percentiles of each cell's own pixels, block by block."""
    columns = channel_numbers(channels, crops.channels, owner=crops.path)
    bounds = np.empty((2, len(rows), len(columns)), np.float32)
    for batch in batches(len(rows)):
        pixels = crops.read(rows[batch])[:, columns]
        flat = pixels.reshape(len(pixels), len(columns), -1)
        bounds[:, batch] = np.percentile(flat, percentiles, axis=2)
    return bounds[0], bounds[1]


def _warn_few(table: PercentileTable) -> None:
    few = [plate for plate, cells in zip(table.plates, table.cells, strict=True) if cells < _FEW]
    if few:
        _LOG.warning(
            "intensity scaling per plate, but %d of %d plates have fewer than %d cells (%s: %d): "
            "their percentiles follow the treatments on them and scale phenotypes away; "
            "use scaling {per: global}",
            len(few),
            len(table.plates),
            _FEW,
            few[0],
            table.cells[table.plates.index(few[0])],
        )

"""What an operation is: a frozen dataclass, its fields the YAML keys, that draws and applies."""

import difflib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor

from cellssl.augment import counters
from cellssl.augment.quantities import Rule, number, texts

__all__ = [
    "Draws",
    "Geometry",
    "Operation",
    "Params",
    "Pixel",
    "catalogue",
    "nearest",
    "operation_named",
    "register",
]

Params = dict[str, Tensor]
_registry: dict[str, type["Operation"]] = {}
_CHANCE = (
    -1
)  # the number that decides whether a sample is touched; an operation's own numbers begin at 0

_LAST = {"channels": 1, "p": 2, "because": 3}  # an operation's own keys are read first


@dataclass(frozen=True)
class Draws:
    """The random numbers of one operation in one view, for the samples of one batch.

    Parameters
    ----------
    keys
        (N,) int64 of `counters.make_keys`.
    stream
        The operation's own number: its name and how often it stood before in the view, so that a
        protocol with one operation more or less leaves the draws of all others as they were.
    channels
        C of the images.
    size
        Height and width of the view in pixels.
    bank
        Standard normal numbers for noise fields.
    """

    keys: Tensor
    stream: int
    channels: int
    size: int
    bank: Tensor | None = None

    def uniform(self, index: int, low: float, high: float, *, count: int | None = None) -> Tensor:
        """Draw from [low, high): (N,), or (N, count); `index` numbers the operation's own draws."""
        return low + (high - low) * counters.uniform(self.keys, self.stream, index, count)

    def chance(self, p: float) -> Tensor:
        """Decide for each sample (N,) whether it is touched."""
        return counters.uniform(self.keys, self.stream, _CHANCE) < p

    def noise(self, index: int) -> Tensor:
        """Draw standard normal fields (N, C, size, size), a number for each channel."""
        if self.bank is None:
            raise ValueError("this view holds no noise bank; set needs_noise on the operation")
        shape = (self.channels, self.size, self.size)
        return counters.noise_field(self.bank, self.keys, self.stream, index, shape=shape)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """Base of all augmentations; subclass `Geometry` or `Pixel`, one file per operation.

    Raises
    ------
    ValueError
        When a field's value is outside its rule, naming the field, what was got and what was
        wanted.
    """

    p: float = number("chance that a sample is touched", 1.0, high=1.0)
    because: str = texts("the biological or optical reason", "")

    name: ClassVar[str] = ""
    kind: ClassVar[str] = ""
    invariance: ClassVar[str] = ""  # what the encoder is made blind to
    neutral: ClassVar[Mapping[str, float]] = {}  # parameter values that leave a sample as it is
    needs_noise: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for item in fields(self):  # lists (from YAML) become tuples, so that equal means equal
            value = getattr(self, item.name)
            if isinstance(value, list):
                object.__setattr__(self, item.name, tuple(value))
        found = self.problems({item.name: getattr(self, item.name) for item in fields(self)})
        if found:
            raise ValueError("; ".join(f"{self.name}.{key}: {text}" for key, text in found))

    @classmethod
    def rules(cls) -> dict[str, tuple[Rule, Any]]:
        """Map every key to its rule and its default (`...` where it must be given)."""
        items = sorted(fields(cls), key=lambda item: _LAST.get(item.name, 0))
        return {item.name: (item.metadata["rule"], _default(item)) for item in items}

    @classmethod
    def problems(cls, values: Mapping[str, object]) -> list[tuple[str, str]]:
        """List (key, what is wrong) for all `values` at once: unknown, missing and out of range."""
        rules = cls.rules()
        found = []
        for key, value in values.items():
            if key not in rules:
                found.append((key, f"unknown key {key!r} of {cls.name}{nearest(key, rules)}"))
            elif (text := rules[key][0].problem(value)) is not None:
                found.append((key, text))
        found += [
            (key, f"{cls.name} needs the key {key!r} ({rule.meaning})")
            for key, (rule, default) in rules.items()
            if default is ... and key not in values
        ]
        return found

    @property
    def idle(self) -> bool:
        """True where no sample can ever be changed, so that a view may leave the operation out."""
        return self.p == 0.0

    def sample(self, draws: Draws) -> Params:
        """Draw each sample's parameters, as if every sample were touched."""
        raise NotImplementedError

    def parameters(self, draws: Draws) -> Params:
        """Draw each sample's parameters; untouched samples (chance 1 - p) get neutral ones."""
        params = self.sample(draws)
        return params if self.p == 1.0 else self._settle(params, draws.chance(self.p))

    def _settle(self, params: Params, touched: Tensor) -> Params:
        """Make the parameters neutral wherever `touched` ((N,) or (N, C)) is False."""
        settled = dict(params)
        for key, value in self.neutral.items():
            kept = touched
            if params[key].ndim > touched.ndim:
                kept = touched[:, None]
            settled[key] = torch.where(kept, params[key], value)
        return settled

    def caveats(self, channels: int) -> list[str]:  # noqa: ARG002  (subclasses use it)
        """Say what of this operation cannot work as written on images of so many channels."""
        return []


@dataclass(frozen=True, kw_only=True)
class Geometry(Operation):
    """An operation that moves pixels, as a matrix; a view multiplies all and samples once."""

    kind: ClassVar[str] = "geometry"
    exact: ClassVar[bool] = False  # can move whole pixels, without interpolation, by `move`

    def matrix(self, params: Params) -> Tensor:
        """Give (N, 3, 3): from the result's (x, y, 1), in centred pixels, to the source's."""
        raise NotImplementedError

    def reach(self, half: float) -> float:
        """Say how far from the centre, in pixels, a square of half side `half` is read.

        A view asks its operations in turn how large crops must be for every pixel to be a real one.
        """
        return half

    def move(self, images: Tensor, params: Params) -> Tensor:
        """Move whole pixels of (N, C, H, H); used where all geometry of a view is `exact`."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Pixel(Operation):
    """An operation that changes values; its parameters are (N, 1) or (N, C)."""

    channels: tuple[str, ...] | None = texts(
        "the channels that are touched (default all)", None, many=True
    )

    kind: ClassVar[str] = "pixel"
    mixes_channels: ClassVar[bool] = False  # sees the chosen channels as one stack

    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Give the changed images (N, C, H, W), unclipped: the view clips last, like a detector."""
        raise NotImplementedError

    def positions(self, names: Sequence[str] | None) -> tuple[int, ...] | None:
        """Find the chosen channels among the data's; None means all.

        Raises
        ------
        ValueError
            When a channel is not among `names`, with the nearest name.
        """
        if self.channels is None:
            return None
        for channel in self.channels:
            if names is None or channel not in names:
                have = (
                    "no names were given" if names is None else f"the data have {', '.join(names)}"
                )
                raise ValueError(
                    f"{self.name}: channel {channel!r} is not there ({have})"
                    f"{nearest(channel, names or ())}"
                )
        return tuple(list(names or ()).index(channel) for channel in self.channels)

    def run(self, images: Tensor, draws: Draws, positions: tuple[int, ...] | None) -> Tensor:
        """Draw and apply, to the channels at `positions` only."""
        if positions is None:
            return self.apply(images, self.parameters(draws))
        if self.mixes_channels:
            chosen = torch.stack([images[:, place] for place in positions], dim=1)
            changed = self.apply(chosen, self.parameters(draws))
            planes = {place: changed[:, i] for i, place in enumerate(positions)}
            return torch.stack(
                [planes.get(place, images[:, place]) for place in range(images.shape[1])], dim=1
            )
        channel = torch.arange(images.shape[1], device=images.device)
        touched = torch.zeros_like(channel, dtype=torch.bool)
        for place in positions:
            touched = touched | (channel == place)
        return self.apply(images, self._settle(self.parameters(draws), touched[None, :]))


AnyOperation = TypeVar("AnyOperation", bound=type[Operation])


def register(operation: AnyOperation) -> AnyOperation:
    """Make an operation known by its YAML name."""
    if not operation.name or operation.name in _registry:
        raise ValueError(f"operation name {operation.name!r} is empty or taken")
    _registry[operation.name] = operation
    return operation


def catalogue() -> dict[str, type[Operation]]:
    """Map the YAML name of every operation to its class, sorted by name."""
    return dict(sorted(_registry.items()))


def operation_named(name: str) -> type[Operation]:
    """Find an operation by its YAML name.

    Raises
    ------
    ValueError
        When there is none, with the nearest name.

    Examples
    --------
    >>> operation_named("rotate")(degrees=180.0).invariance
    'orientation'
    """
    if name not in _registry:
        raise ValueError(f"unknown operation {name!r}{nearest(name, _registry)}")
    return _registry[name]


def stream_of(name: str, occurrence: int) -> int:
    """Give an operation's number: its name, and how often it stood before in the same view."""
    return zlib.crc32(name.encode()) + (occurrence << 32)


def nearest(word: str, words: Sequence[str] | Mapping[str, Any]) -> str:
    """End an error message with the nearest valid word, or with all of them."""
    close = difflib.get_close_matches(str(word), list(words), n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there are {', '.join(words)}" if words else ""


def _default(item: "Field[Any]") -> Any:
    """Give a field's default, or `...`."""
    return ... if item.default is MISSING else item.default

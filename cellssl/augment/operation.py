"""What an operation is: a frozen dataclass, its fields the YAML keys, that draws and applies.

Three kinds: `Geometry` moves pixels, `Pixel` changes values, `Masking` hides parts of the stored
crop. An operation is one file in `cellssl.augment.operations`, found by itself: a subclass of one of
these is a dataclass, and known by its `name`, without being told to.
"""

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, dataclass_transform

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.masks import cover
from cellssl.augment.quantities import (
    ChannelName,
    Rule,
    channel_names,
    choice,
    free_text,
    number,
    switch,
)
from cellssl.errors import likely, nearest

Params = dict[str, Tensor]
_UNPARTED = re.compile(r"(\w+)[:=](.+)")
# An operation's own keys come first, then those that it shares, in this order.
_LAST = {"per_channel": 1, "mask": 1, "fill": 1, "channels": 2, "p": 3, "because": 4}


NAMED: dict[str, type["Operation"]] = {}  # by the names of YAML files


@dataclass_transform(frozen_default=True, kw_only_default=True)
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
    because: str = free_text("the biological or optical reason")

    name: ClassVar[str] = ""
    kind: ClassVar[str] = ""
    invariance: ClassVar[str] = ""  # what the encoder is made blind to
    neutral: ClassVar[Mapping[str, float]] = {}  # parameter values that leave a sample as it is
    nothing: ClassVar[Mapping[str, object]] = {}  # values of its keys at which no sample changes
    mixes: ClassVar[bool] = False  # acts between channels, so that one alone stays as it is
    ahead: ClassVar[int] = 8  # how many numbers a view draws for it in one go with all others

    def __init_subclass__(cls) -> None:
        dataclass(frozen=True, kw_only=True)(cls)
        if "name" in vars(cls) and NAMED.setdefault(cls.name, cls) is not cls:
            raise ValueError(f"two operations are called {cls.name!r}")

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
        return {
            item.name: (item.metadata["rule"], ... if item.default is MISSING else item.default)
            for item in items
        }

    @classmethod
    def problems(cls, values: Mapping[str, object]) -> list[tuple[str, str]]:
        """List (key, what is wrong) for all `values` at once: unknown, missing and out of range."""
        rules = cls.rules()
        found = []
        meant = {likely(key, rules) for key in values if key not in rules}  # missing for that alone
        for key, value in values.items():
            if key not in rules:
                mend = nearest(key, rules)
                if value is None and key.isdecimal():  # {amplitude: 0,15}
                    mend = "; a decimal comma? Numbers have a point: 0.1"
                elif value is None and (pair := _UNPARTED.fullmatch(key)) and pair[1] in rules:
                    mend = f"; write '{pair[1]}: {pair[2]}', with a space after the colon"
                elif value is None and " " in key:  # {because: no up, no down}
                    mend = "; a text that holds a comma stands in quotes"
                found.append((key, f"unknown key {key!r} of {cls.name}{mend}"))
            elif (text := rules[key][0].problem(value)) is not None:
                found.append((key, text))
        found += [
            (key, f"{cls.name} needs the key {key!r} ({rule.meaning})")
            for key, (rule, default) in rules.items()
            if default is ... and key not in values and key not in meant
        ]
        defaults = {key: default for key, (_, default) in rules.items()}
        return found or cls.conflicts({**defaults, **values})

    @classmethod
    def conflicts(cls, values: Mapping[str, Any]) -> list[tuple[str, str]]:  # noqa: ARG003
        """List (key, what is wrong) between values that are right each by itself."""
        return []

    @property
    def idle(self) -> bool:
        """True where no sample can ever be changed, so that a view may leave the operation out."""
        still = (getattr(self, key) == value for key, value in self.nothing.items())
        return self.p == 0.0 or (bool(self.nothing) and all(still))

    def named_channels(self) -> dict[str, tuple[str, ...]]:
        """Map every key that names channels to the names it holds."""
        named = {}
        for key, (rule, _) in self.rules().items():
            value = getattr(self, key)
            if value is not None and key == "channels":
                named[key] = tuple(value)
            elif value is not None and isinstance(rule, ChannelName):
                named[key] = (value,)
        return named

    def chosen(self) -> tuple[str, ...] | None:
        """Name the channels that it gets; None means all."""
        return None

    def sample(self, draws: Draws) -> Params:
        """Draw each sample's parameters, as if every sample were touched."""
        raise NotImplementedError

    def parameters(self, draws: Draws) -> Params:
        """Draw each sample's parameters; untouched samples (chance 1 - p) get neutral ones."""
        params = self.sample(draws)
        return params if self.p == 1.0 else self._settle(params, draws.chance(self.p))

    def _settle(self, params: Params, touched: Tensor) -> Params:
        """Make the parameters neutral wherever `touched` (N,) is False."""
        settled = dict(params)
        for key, value in self.neutral.items():
            kept = touched.reshape(-1, *[1] * (params[key].ndim - 1))
            settled[key] = torch.where(kept, params[key], value)
        return settled

    def caveats(self, channels: int) -> list[str]:
        """Say what cannot work as written on so many channels: those that the operation gets."""
        alone = self.mixes and channels == 1
        return [f"{self.name} changes nothing on 1 channel"] if alone else []


class Geometry(Operation):
    """An operation that moves pixels; a view composes all of them and samples once."""

    kind: ClassVar[str] = "geometry"
    exact: ClassVar[bool] = False  # can move whole pixels, without interpolation, by `move`
    warps: ClassVar[bool] = False  # moves each pixel by its own way, by `displacement`

    def matrix(self, params: Params) -> Tensor:
        """Give (N, 3, 3): from the result's (x, y, 1), in centred pixels, to the source's."""
        raise NotImplementedError

    def displacement(self, params: Params, size: int) -> Tensor:
        """Give (N, 2, size, size): how many pixels right and down each pixel is read."""
        raise NotImplementedError

    def reach(self, half: float) -> float:
        """Say how far from the centre, in pixels, a square of half side `half` is read.

        A view asks its operations in turn how large crops must be for every pixel to be a real one.
        """
        return half

    def move(self, images: Tensor, params: Params) -> Tensor:
        """Move whole pixels of (N, C, H, H); used where all geometry of a view is `exact`."""
        raise NotImplementedError


class Pixel(Operation):
    """An operation that changes values.

    Its parameters have N rows. Where `channels` are named, `apply` gets those alone, in the order
    in which they are named, and `Draws.channels` is their number.
    """

    channels: tuple[str, ...] | None = channel_names("the channels that are touched (default all)")

    kind: ClassVar[str] = "pixel"
    in_light: ClassVar[bool] = False  # acts on light: the view undoes its sqrt or log before
    noise_fields: ClassVar[tuple[str, ...]] = ()  # parameters that are `Draws.noise`

    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Give the changed images (N, C, H, W), unclipped: the view clips last, like a detector."""
        raise NotImplementedError

    def chosen(self) -> tuple[str, ...] | None:
        """Take those that are named."""
        return self.channels

    def positions(self, names: Sequence[str] | None) -> tuple[int, ...] | None:
        """Find the chosen channels among the data's; None means all.

        Raises
        ------
        ValueError
            When a channel is not among `names`, with the nearest name.
        """
        chosen = self.chosen()
        if chosen is None:
            return None
        have = "no names were given" if names is None else f"the data have {', '.join(names)}"
        for channel in chosen:
            if channel not in (names or ()):
                raise ValueError(
                    f"{self.name}: channel {channel!r} is not there ({have})"
                    f"{nearest(channel, names or (), listed=True)}"
                )
        return tuple(list(names or ()).index(channel) for channel in chosen)


class ChannelWise(Pixel):
    """A value operation that draws for each channel, or once for all of them."""

    per_channel: bool = switch("a draw for each channel; else one for all", True)

    def count(self, draws: Draws) -> int:
        """Say how many numbers a sample draws: its channels, or 1."""
        return draws.channels if self.per_channel else 1


class Masking(Operation):
    """An operation that hides parts of the stored crop by its segmentation, before all geometry.

    Masks are those of the crops: 0 background, 1 this cell, 2 others.
    """

    mask: str = choice(
        "which outline; auto takes the cell's where it is stored, else the nucleus'",
        ("auto", "nucleus", "cell"),
        "auto",
    )
    fill: str = choice("what is put there", ("background", "black"), "background")

    kind: ClassVar[str] = "masking"
    neutral: ClassVar[Mapping[str, float]] = {"hides": 0.0}

    def sample(self, draws: Draws) -> Params:
        """Draw nothing but the chance: whether a sample's parts are hidden (N,), 1 or 0."""
        return {"hides": torch.ones_like(draws.keys, dtype=torch.float32)}

    def region(self, mask: Tensor) -> Tensor:
        """Say what is hidden: (N, S, S) bool, by a mask (N, S, S) uint8."""
        raise NotImplementedError

    def apply(self, images: Tensor, mask: Tensor, params: Params) -> Tensor:
        """Give the images (N, C, S, S) with the region filled."""
        return cover(images, mask, self.region(mask), params["hides"], self.fill)

    def layer(self, names: Sequence[str]) -> int:
        """Find the mask among those that are stored.

        Raises
        ------
        ValueError
            When it is not there.
        """
        if not names:
            raise ValueError(
                f"{self.name} needs masks; these crops have none: cut them with masks, or remove it"
            )
        if self.mask == "auto":
            return list(names).index("cell") if "cell" in names else 0
        if self.mask not in names:
            raise ValueError(
                f"{self.name} needs the {self.mask} mask; these crops have {', '.join(names)}: cut "
                "them with that mask, or write mask: auto"
            )
        return list(names).index(self.mask)


def stream_of(name: str, occurrence: int) -> int:
    """Give an operation's number: its name, and how often it stood before in the same view."""
    return zlib.crc32(name.encode()) + (occurrence << 32)

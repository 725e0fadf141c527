"""What a view drives to white or black: pixels whose differences no encoder can see any more."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from cellssl.augment import View, centre_crop, make_keys

_RISE = 0.01  # share of a channel's pixels that is worth a warning
_EDGE = 1e-6  # rounding of a value at an end


class _End(NamedTuple):
    """An end of the scale."""

    become: str
    reached: Callable[[Tensor], Tensor]
    advice: str


_ENDS = (
    _End("are saturated by", lambda images: images >= 1 - _EDGE, "lower {}"),
    _End("are made black by", lambda images: images <= _EDGE, "lower {}, unless that is meant"),
)


def clipped(
    view: View,
    images: Tensor,
    *,
    masks: Tensor | None,
    channels: Sequence[str],
    number: int,
    name: str,
) -> list[str]:
    """Say for which channels a view puts more pixels at an end of the scale than were there.

    Parameters
    ----------
    view
        The view.
    images
        (N, C, S, S) floats in [0, 1].
    masks
        (N, M, S, S), where the view needs them.
    channels
        Their C names.
    number
        The view's number, on which its draws depend.
    name
        What it is called in the texts.

    Returns
    -------
    list of str
        One text for each channel and end, with the share before, and, where one operation is behind
        half of the rise or more, that without it.
    """
    keys = make_keys(0, 0, torch.arange(len(images), device=images.device), number)
    before = centre_crop(images, view.size)
    made = view(images, keys, masks=masks)
    told = []
    without: list[Tensor] | None = None
    for end in _ENDS:
        then, now = _shares(before, end), _shares(made, end)
        for index in torch.nonzero(now - then > _RISE).flatten().tolist():
            if without is None:
                without = [other(images, keys, masks=masks) for other in _leave_one_out(view)]
            share, rise = float(now[index]), float(now[index] - then[index])
            less = [float(_shares(other, end)[index]) for other in without]
            best = min(range(len(less)), key=less.__getitem__, default=None)
            text = f"{share:.1%} of {channels[index]}'s pixels {end.become} {name}"
            if best is None or share - less[best] < rise / 2:
                told.append(f"{text} ({then[index]:.1%} before); no single operation does it alone")
            else:
                culprit = view.operations[best].name
                told.append(
                    f"{text} ({then[index]:.1%} before, {less[best]:.1%} without {culprit}): "
                    + end.advice.format(culprit)
                )
    return told


def _shares(images: Tensor, end: _End) -> Tensor:
    """Give each channel's share of pixels at an end: (C,)."""
    return end.reached(images).double().mean(dim=(0, 2, 3))


def _leave_one_out(view: View) -> list[View]:
    """Build the view again without each of its operations; the others draw what they drew."""
    return [
        view.made_of([replace(op, p=0.0) if op is left_out else op for op in view.operations])
        for left_out in view.operations
    ]

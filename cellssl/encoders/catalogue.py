"""Encoders by name."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from cellssl.encoders.branched import BranchedEncoder
from cellssl.encoders.encoder import Encoder, Stem
from cellssl.encoders.resnet import ResNet, resnet_plans
from cellssl.encoders.vgg import SMALLEST, VGG, vgg_plans
from cellssl.errors import ModelError, nearest


def names() -> tuple[str, ...]:
    """List the encoders that `build` knows."""
    return (*resnet_plans, *vgg_plans)


def smallest_image(name: str) -> int:
    """Give the height and width in pixels below which an encoder has nothing left to look at.

    Examples
    --------
    >>> smallest_image("vgg11_bn"), smallest_image("resnet18")
    (32, 1)
    """
    return SMALLEST if name in vgg_plans else 1


def build(
    name: str,
    in_channels: int,
    *,
    width: float = 1.0,
    stem: Stem = "imagenet",
    own_stages: int = 0,
    branches: Sequence[str] = (),
) -> Encoder:
    """Build an untrained encoder.

    Its weights come from torch's default generator (``torch.manual_seed``). Its parameters are in
    channels_last, in which both CPUs and GPUs run convolutions faster.

    Parameters
    ----------
    name : str
        One of `names()`: "resnet18", "resnet34", "resnet50", "resnet50-v1", "resnet101",
        "vgg11", "vgg13", "vgg11_bn", "vgg13_bn".
    in_channels : int
        Channels of the images, 1 or more.
    width : float
        Factor on the number of planes of every layer, e.g. 0.5; rounded to multiples of 8.
    stem : {"imagenet", "cifar"}
        A ResNet's first layers; "cifar" keeps the resolution of small images. A VGG has no such
        choice.
    own_stages : int
        Last stages, 1 to 4, that each of the `branches` has for itself (`BranchedEncoder`); 0 for a
        network without branches.
    branches : sequence of str
        Names of the branches, two or more where stages are their own.

    Returns
    -------
    Encoder
        A module from (B, in_channels, H, W) to (B, `feature_dim`), in training mode.

    Raises
    ------
    ModelError
        When the name is unknown or a number is out of range.

    Examples
    --------
    >>> encoder = build("resnet18", 2, width=0.5)
    >>> encoder.feature_dim, encoder(torch.zeros(4, 2, 64, 64)).shape
    (256, torch.Size([4, 256]))
    """
    _check(name, in_channels, width, stem)
    _check_branches(own_stages, branches)
    encoder: Encoder
    if own_stages:
        networks = {branch: _plain(name, in_channels, width, stem) for branch in branches}
        encoder = BranchedEncoder(networks, own_stages=own_stages)
    else:
        encoder = _plain(name, in_channels, width, stem)
    return encoder.to(memory_format=torch.channels_last)


def rebuild(description: Mapping[str, Any]) -> Encoder:
    """Build an encoder of the same kind again from what its `describe` said; weights are not kept.

    Examples
    --------
    >>> rebuild(build("resnet18", 2, width=0.5).describe()).feature_dim
    256
    """
    try:
        return build(**{key: value for key, value in description.items() if key != "feature_dim"})
    except TypeError as error:
        raise ModelError(f"an encoder cannot be rebuilt from {description}: {error}.") from error


def _plain(name: str, in_channels: int, width: float, stem: Stem) -> ResNet | VGG:
    """Build a network as it was published, but for its width and stem."""
    if name in resnet_plans:
        return ResNet(name, in_channels, width=width, stem=stem)
    return VGG(name, in_channels, width=width)


def _check_branches(own_stages: int, branches: Sequence[str]) -> None:
    """Refuse stages of their own for branches that are not there, and branches without any."""
    if not 0 <= own_stages <= 4:
        raise ModelError(f"own_stages must be 0 to 4, got {own_stages}.")
    if (own_stages > 0) != (len(set(branches)) > 1):
        raise ModelError(
            f"own_stages={own_stages} and branches {', '.join(branches) or '(none)'}: name two "
            "branches or more where each has stages of its own, and none where it has not."
        )


def _check(name: str, in_channels: int, width: float, stem: str) -> None:
    """Refuse what cannot be built, saying what could."""
    if name not in names():
        near = nearest(name, names(), listed=True) or "."
        raise ModelError(f"no encoder is called {name!r}{near} Known: {', '.join(names())}.")
    if in_channels < 1:
        raise ModelError(f"an encoder needs at least one channel, got in_channels={in_channels}.")
    if not 0 < width <= 8:
        raise ModelError(f"width must be above 0 and at most 8 (1 is as published), got {width}.")
    if stem not in ("imagenet", "cifar"):
        raise ModelError(f"stem must be 'imagenet' or 'cifar', got {stem!r}.")
    if stem == "cifar" and name in vgg_plans:
        raise ModelError(f"{name} has no 'cifar' stem: leave stem at 'imagenet', or take a ResNet.")

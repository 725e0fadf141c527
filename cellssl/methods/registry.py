"""Methods by name."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from cellssl.encoders import Encoder
from cellssl.errors import TrainingError, nearest
from cellssl.methods.barlow_twins import BarlowTwins
from cellssl.methods.byol import BYOL
from cellssl.methods.method import Method
from cellssl.methods.moco import MoCo
from cellssl.methods.simclr import SimCLR
from cellssl.methods.supervised import Supervised
from cellssl.methods.vicreg import VICReg

_METHODS: dict[str, type[Method]] = {
    method.name: method for method in (SimCLR, MoCo, BYOL, BarlowTwins, VICReg, Supervised)
}


def names(*, labelled: bool = False) -> tuple[str, ...]:
    """List the methods that `build` knows.

    Parameters
    ----------
    labelled : bool
        Whether those that are told labels are among them.

    Examples
    --------
    >>> names()
    ('simclr', 'moco', 'byol', 'barlow_twins', 'vicreg')
    >>> names(labelled=True)[-1]
    'supervised'
    """
    return tuple(name for name, method in _METHODS.items() if labelled or not method.labelled)


def is_labelled(name: str) -> bool:
    """Whether a method is told what the cells show.

    Raises
    ------
    TrainingError
        When there is no such method.
    """
    return _find(name).labelled


def option_names(name: str) -> tuple[str, ...]:
    """List a method's options.

    Raises
    ------
    TrainingError
        When there is no such method.

    Examples
    --------
    >>> option_names("simclr")
    ('hidden', 'dim', 'temperature')
    """
    parameters = inspect.signature(_find(name)).parameters
    return tuple(option for option in parameters if option != "encoder")


def option_problem(name: str, options: Mapping[str, Any]) -> str | None:
    """Say what is wrong with the values of a method's options, its name first; None where all are right.

    No weights are made. How many classes a label has is told later.

    Raises
    ------
    TrainingError
        When there is no such method.

    Examples
    --------
    >>> option_problem("simclr", {"temperature": 0})
    'temperature: got 0, wanted a number above 0'
    """
    known = {"classes": 2} if is_labelled(name) else {}
    try:
        outline(name, {**known, **options}, feature_dim=1)
    except ValueError as error:
        return str(error)
    return None


def outline(name: str, options: Mapping[str, Any], *, feature_dim: int) -> Method:
    """Make a method without weights, on torch's meta device: its layers cost no memory.

    Parameters
    ----------
    name, options
        As for `build`.
    feature_dim : int
        Of an encoder that is not there.

    Raises
    ------
    TrainingError
        When there is no such method.
    ValueError
        When an option's value is out of range.

    Examples
    --------
    >>> outline("simclr", {"hidden": 16, "dim": 4}, feature_dim=8).projector[0].weight.shape
    torch.Size([16, 8])
    """
    encoder: Any = nn.Identity()  # stands where an encoder will be
    encoder.feature_dim = feature_dim
    with torch.device("meta"):
        return _find(name)(encoder, **options)


def build(name: str, encoder: Encoder, **options: Any) -> Method:
    """Put an encoder under a method.

    Parameters
    ----------
    name : str
        One of `names(labelled=True)`.
    encoder : Encoder
        From images (B, C, H, W) to features (B, D), with `feature_dim` = D.
    **options
        Those of `option_names(name)`.

    Raises
    ------
    TrainingError
        When the method or an option is unknown, or a value out of range.

    Examples
    --------
    >>> from cellssl import encoders
    >>> build("simclr", encoders.build("resnet18", 3, width=0.25), temperature=0.5).name
    'simclr'
    """
    method, known = _find(name), option_names(name)
    unknown = [option for option in options if option not in known]
    if unknown:
        raise TrainingError(
            f"method {name!r} has no option {unknown[0]!r}; it has {', '.join(known)}"
            + nearest(unknown[0], known, listed=True)
        )
    try:
        return method(encoder, **options)
    except ValueError as error:
        raise TrainingError(f"method {name!r}: {error}") from error


def _find(name: str) -> type[Method]:
    """Look a method up."""
    if name not in _METHODS:
        raise TrainingError(
            f"no method {name!r}; there are {', '.join(_METHODS)}"
            + nearest(name, _METHODS, listed=True)
        )
    return _METHODS[name]

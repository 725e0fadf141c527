"""Does a protocol fit the data? What is impossible (error) and what one should know (warning)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from cellssl import methods
from cellssl.augment import Masking, Pixel, View
from cellssl.errors import ProtocolError, nearest
from cellssl.framing import LOST, view_for
from cellssl.protocols.building import build_each, choose_channels, expand_groups
from cellssl.protocols.clipping import clipped
from cellssl.protocols.describing import view_labels
from cellssl.protocols.pairing import missing_columns
from cellssl.protocols.protocol import Protocol
from cellssl.training import cells_shown, long_enough, steps
from cellssl.words import counted, listed

__all__ = ["Finding", "check", "require_fit"]

_LITTLE = 0.0005  # share of a view's pixels: less than two pixels of 64 × 64
_TIGHT = 1.5  # diameters of a nucleus: a view of less cuts cells off
_BEYOND = {"mirror": "are mirrored at its border", "zeros": "become black"}


@dataclass(frozen=True)
class Finding:
    """One thing found: an error stops training, a warning should be known."""

    level: Literal["error", "warning"]
    message: str


def check(
    protocol: Protocol,
    *,
    channels: Sequence[str],
    stored_size: int,
    masks: Sequence[str] = (),
    nucleus: float = 0,
    cells: int | None = None,
    columns: Collection[str] | None = None,
    images: Any = None,
    stencils: Any = None,
) -> list[Finding]:
    """Hold a protocol against crops.

    Parameters
    ----------
    protocol
        The protocol.
    channels
        The crops' channel names.
    stored_size
        The crops' height and width in pixels.
    masks
        Names of the crops' masks.
    nucleus
        Usual diameter of a nucleus in pixels; 0 where it is not known.
    cells
        How many cells there are to train on; None where that is not known.
    columns
        Names of the columns of the crops' table; None when they are not to be looked at.
    images
        (N, C, S, S) array or tensor of some crops, scaled to [0, 1], with the protocol's channels
        in order: every view is made of them, to see what it drives to white or black. None leaves
        that out.
    stencils
        (N, M, S, S) uint8 masks of the images, where there are any.

    Returns
    -------
    list of Finding
        Errors first; empty where all is well.

    Examples
    --------
    >>> from cellssl.protocols import load
    >>> found = check(load("bbbc021-expert"), channels=["DAPI", "Tubulin", "ER"], stored_size=128)
    >>> found[0].message.split(".")[0]
    "channel 'Actin' is not in the data, which have DAPI, Tubulin, ER"
    """
    pictures = None if images is None else torch.as_tensor(images)
    hidden = None if stencils is None else torch.as_tensor(stencils)
    found = {}
    for name, one in expand_groups(protocol).items():
        errors = [
            *_missing(one, channels),
            *_too_small(one, stored_size),
            *_unmasked(one, masks),
            *(missing_columns(one, columns) if columns is not None else ()),
        ]
        warnings = () if errors else _warnings(one, channels, stored_size, masks, pictures, hidden)
        found[name] = [
            *(Finding("error", text) for text in errors),
            *(
                Finding("warning", text)
                for text in (
                    *_still(one),
                    *_split(one),
                    *_framing(one, nucleus),
                    *_brevity(one, cells),
                    *warnings,
                )
            ),
        ]
    return _by_group(found)


def _warnings(
    protocol: Protocol,
    channels: Sequence[str],
    stored_size: int,
    masks: Sequence[str],
    images: Tensor | None,
    stencils: Tensor | None,
) -> list[str]:
    """Say what one should know of each view of a protocol that fits; the arguments are those of `check`."""
    chosen = choose_channels(protocol, channels)
    told: list[str] = []
    first = 0
    views = build_each(protocol, chosen, masks)
    for view, recipe, label in zip(views, protocol.views, view_labels(protocol), strict=True):
        name = "view 1" if label == "both" else f"view{'s' * (recipe.count > 1)} {label}"
        where = f"{name}: " if len(views) > 1 else ""
        told += [where + text for text in (*_repeated(view), *_caveats(view, len(chosen)))]
        told += [where + text for text in _border(view, stored_size)]
        if images is not None and (stencils is not None or not view.needs_masks):
            told += clipped(view, images, masks=stencils, channels=chosen, number=first, name=name)
        first += recipe.count
    return told


def _by_group(found: Mapping[str, list[Finding]]) -> list[Finding]:
    """Say everything once, and of which groups where it is not of all."""
    groups: dict[Finding, list[str]] = {}
    for name, findings in found.items():
        for finding in findings:
            groups.setdefault(finding, []).append(name)
    told = [
        Finding(
            one.level,
            one.message if len(names) == len(found) else f"{', '.join(names)}: {one.message}",
        )
        for one, names in groups.items()
    ]
    return sorted(told, key=lambda finding: finding.level)  # errors first


def require_fit(
    protocol: Protocol,
    *,
    channels: Sequence[str],
    stored_size: int,
    masks: Sequence[str] = (),
    nucleus: float = 0,
    cells: int | None = None,
    columns: Collection[str] | None = None,
) -> list[Finding]:
    """Hold a protocol against crops as `check` does; give what one should know, raise what is impossible.

    Returns
    -------
    list of Finding
        The warnings.

    Raises
    ------
    ProtocolError
        With all errors.
    """
    findings = check(
        protocol,
        channels=channels,
        stored_size=stored_size,
        masks=masks,
        nucleus=nucleus,
        cells=cells,
        columns=columns,
    )
    errors = [finding.message for finding in findings if finding.level == "error"]
    if errors:
        raise ProtocolError(f"{protocol.name} does not fit these cells: {'; '.join(errors)}")
    return findings


def _missing(protocol: Protocol, channels: Sequence[str]) -> list[str]:
    """Name the channels that the data lack."""
    if protocol.channels == "any":
        return []
    lacking = [name for name in protocol.channels if name not in channels]
    if not lacking:
        return []
    near = "".join(dict.fromkeys(nearest(name, channels, listed=True) for name in lacking))
    return [
        f"channel{'s' * (len(lacking) > 1)} {listed([repr(name) for name in lacking])} "
        f"{'is' if len(lacking) == 1 else 'are'} not in the data, which have {', '.join(channels)}"
        f"{near or '.'} Give the plate's channels the protocol's names (--channel FILE={lacking[0]}), or "
        "train with a protocol that extends this one and names the data's (channels:)"
    ]


def _too_small(protocol: Protocol, stored_size: int) -> list[str]:
    """Refuse views that are larger than what is stored."""
    size = protocol.crop.size
    if size <= stored_size:
        return []
    return [
        f"crop.size is {size} px, but the crops have {stored_size} px; cut larger crops "
        f"(1.5 × {size} = {round(1.5 * size)} px is good), or make crop.size {stored_size} at most"
    ]


def _framing(protocol: Protocol, nucleus: float) -> list[str]:
    """Say when a view holds hardly a nucleus, or many cells."""
    size = protocol.crop.size
    if not nucleus or _TIGHT * nucleus <= size <= LOST * nucleus:
        return []
    shows = "cells are cut off" if size < _TIGHT * nucleus else "each view shows many cells"
    return [
        f"nuclei are usually {nucleus:.0f} px across and views (crop.size) {size} px: {shows}. Views of some "
        f"{view_for(nucleus)} px would suit them, or crops of another --binning"
    ]


def _still(protocol: Protocol) -> list[str]:
    """Say when no view of a cell differs from another, and no label says what is alike."""
    labels = protocol.positives.weak or methods.is_labelled(protocol.training.method)
    if labels or any(not one.idle for recipe in protocol.views for one in recipe.operations):
        return []
    return [
        "all views of a cell are the same picture, and there is nothing that an encoder could learn to ignore: "
        "add what is no phenotype, such as rotate"
    ]


def _split(protocol: Protocol) -> list[str]:
    """Say when two views have one operation each, another one: nested lists may have been meant as one."""
    names = [
        recipe.operations[0].name
        for recipe in protocol.views
        if len(recipe.operations) == recipe.count == 1
    ]
    if len(names) != 2 or len(protocol.views) != 2 or names[0] == names[1]:
        return []
    return [
        f"the first view of a cell differs by {names[0]} alone and the second by {names[1]} alone; where every "
        f"view should have both, they stand in one list: {names[0]} begins with '- - ', {names[1]} with '  - '"
    ]


def _brevity(protocol: Protocol, cells: int | None) -> list[str]:
    """Say when so few cells make so few steps that an encoder has hardly begun to learn."""
    settings = protocol.training
    longer = settings if cells is None else long_enough(cells, settings)
    if cells is None or longer is settings:
        return []
    drawn = cells_shown(cells, settings)
    used = counted(cells, "cell") if drawn == cells else f"{drawn:,} of {cells:,} cells"
    changes = [
        f"--set training.{key}={getattr(longer, key)}"
        for key in ("batch_size", "epochs")
        if getattr(longer, key) != getattr(settings, key)
    ]
    return [
        f"{used} in batches of {min(settings.batch_size, drawn)} for {counted(settings.epochs, 'epoch')} make "
        f"{counted(steps(cells, settings), 'step')}, and an encoder has hardly begun to learn: "
        f"{' '.join(changes)} would make {steps(cells, longer)}"
    ]


def _unmasked(protocol: Protocol, masks: Sequence[str]) -> list[str]:
    """Refuse operations on masks that the crops do not have."""
    found = []
    for recipe in protocol.views:
        for operation in recipe.operations:
            if not isinstance(operation, Masking):
                continue
            if not masks:
                found.append(
                    f"{operation.name} needs masks; these crops have none: cut them with masks, or "
                    "remove it"
                )
            elif operation.mask != "auto" and operation.mask not in masks:
                found.append(
                    f"{operation.name} needs the {operation.mask} mask; these crops have "
                    f"{', '.join(masks)}: cut them with that mask, or write mask: auto"
                )
    return list(dict.fromkeys(found))


def _repeated(view: View) -> list[str]:
    """Name the operations that stand several times in one list and meet in some channel."""
    seen: dict[str, list[Collection[str] | None]] = {}
    told = []
    for operation in view.operations:
        chosen = operation.chosen() if isinstance(operation, Pixel) else None
        others = seen.setdefault(operation.name, [])
        if any(one is None or chosen is None or set(one) & set(chosen) for one in others):
            told.append(
                f"{operation.name} stands more than once in the list, and acts as often on the same view, one after "
                "the other: keep one, or give each channels of its own"
            )
        others.append(chosen)
    return list(dict.fromkeys(told))


def _caveats(view: View, channels: int) -> list[str]:
    """Collect what operations say of this number of channels."""
    told = []
    for operation in view.operations:
        chosen = operation.chosen() if isinstance(operation, Pixel) else None
        told += operation.caveats(channels if chosen is None else len(chosen))
    return told


def _border(view: View, stored_size: int) -> list[str]:
    """Say how much of a view is read where there are no pixels, and what stands there."""
    real = stored_size if view.border == "neighbours" else view.size
    needed = view.stored_size()
    share = view.mirrored(real) if needed > real else 0.0
    if share < _LITTLE:
        return []
    if view.border != "neighbours":
        return [
            f"{share:.1%} of a view's pixels come from beyond its {view.size} px and "
            f"{_BEYOND[view.border]} (border: {view.border}); border: neighbours takes real pixels "
            "from the larger crops"
        ]
    return [
        f"{share:.1%} of a view's pixels lie beyond the stored crops of {stored_size} px and are "
        f"mirrored at the border; crops of {needed} px need no mirror"
    ]

"""What one should know of a protocol before training with it, though nothing makes it impossible."""

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from cellssl import methods
from cellssl.augment import Draws, Operation, View
from cellssl.framing import LOST, view_for
from cellssl.protocols.building import build_each, choose_channels
from cellssl.protocols.clipping import clipped
from cellssl.protocols.describing import view_labels
from cellssl.protocols.protocol import Protocol
from cellssl.training import cells_shown, long_enough, steps
from cellssl.words import counted

_LITTLE = 0.0005  # share of a view's pixels: less than two pixels of 64 × 64
_TIGHT = 1.5  # diameters of a nucleus: a view of less cuts cells off
_BEYOND = {"mirror": "are mirrored at its border", "zeros": "become black"}


def caveats(protocol: Protocol, *, nucleus: float, cells: int | None) -> list[str]:
    """Say what one should know of a protocol, whether it fits or not; the arguments are those of `check`."""
    return [
        *_still(protocol),
        *_split(protocol),
        *_always(protocol),
        *_framing(protocol, nucleus),
        *_brevity(protocol, cells),
    ]


def view_caveats(
    protocol: Protocol,
    channels: Sequence[str],
    stored_size: int,
    masks: Sequence[str],
    images: Tensor | None,
    image_masks: Tensor | None,
) -> list[str]:
    """Say what one should know of each view of a protocol that fits; the arguments are those of `check`."""
    chosen = choose_channels(protocol, channels)
    told: list[str] = []
    first = 0
    views = build_each(protocol, chosen, masks)
    for view, recipe, label in zip(views, protocol.views, view_labels(protocol), strict=True):
        name = "view 1" if label == "both" else f"view{'s' * (recipe.count > 1)} {label}"
        where = f"{name}: " if len(views) > 1 else ""
        told += [where + text for text in (*_repeated(view), *_of_operations(view, len(chosen)))]
        told += [where + text for text in _border(view, stored_size)]
        if images is not None and (image_masks is not None or not view.needs_masks):
            told += clipped(
                view, images, masks=image_masks, channels=chosen, number=first, name=name
            )
        first += recipe.count
    return told


def _repeated(view: View) -> list[str]:
    """Name the operations that stand several times in one list and meet in some channel."""
    seen: dict[str, list[Collection[str] | None]] = {}
    told = []
    for operation in view.operations:
        chosen = operation.chosen()
        others = seen.setdefault(operation.name, [])
        if any(one is None or chosen is None or set(one) & set(chosen) for one in others):
            told.append(
                f"{operation.name} stands more than once in the list, and acts as often on the same view, one after "
                "the other: keep one, or give each channels of its own"
            )
        others.append(chosen)
    return list(dict.fromkeys(told))


def _of_operations(view: View, channels: int) -> list[str]:
    """Collect what operations say of this number of channels."""
    told = []
    for operation in view.operations:
        chosen = operation.chosen()
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


def _always(protocol: Protocol) -> list[str]:
    """Name what is done to every view alike: an encoder never sees a cell without it."""
    same = [
        {one.name for one in recipe.operations if _is_fixed(one, protocol.crop.size)}
        for recipe in protocol.views
    ]
    return [
        f"{name} (p 1) does the same to every view: an encoder that never sees a cell without it does not learn to "
        "ignore what it takes, and is shown that when cells are embedded as they are; p: 0.5 shows both"
        for name in sorted(set.intersection(*same))
    ]


def _is_fixed(operation: Operation, size: int) -> bool:
    """Tell whether an operation changes all cells, and each alike."""
    if operation.p < 1 or operation.idle:
        return False
    drawn = operation.sample(Draws(torch.arange(16), stream=0, channels=3, size=size))
    return all(bool((values == values[:1]).all()) for values in drawn.values())


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

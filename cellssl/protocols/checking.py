"""Does a protocol fit the data? What is impossible (error) and what one should know (warning)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from cellssl.augment import Masking
from cellssl.errors import ProtocolError, nearest
from cellssl.protocols.building import expand_groups
from cellssl.protocols.caveats import caveats, view_caveats
from cellssl.protocols.pairing import missing_columns
from cellssl.protocols.protocol import Protocol
from cellssl.words import listed


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
    image_masks: Any = None,
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
    image_masks
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
    hidden = None if image_masks is None else torch.as_tensor(image_masks)
    found = {}
    for name, one in expand_groups(protocol).items():
        errors = [
            *_missing(one, channels),
            *too_small(one, stored_size),
            *_unmasked(one, masks),
            *(missing_columns(one, columns) if columns is not None else ()),
        ]
        told = caveats(one, nucleus=nucleus, cells=cells)
        if not errors:
            told += view_caveats(one, channels, stored_size, masks, pictures, hidden)
        found[name] = [
            *(Finding("error", text) for text in errors),
            *(Finding("warning", text) for text in told),
        ]
    idle = [Finding("warning", text) for text in _idle(protocol)]
    return sorted([*idle, *_by_group(found)], key=lambda finding: finding.level)  # errors first


def _by_group(found: Mapping[str, list[Finding]]) -> list[Finding]:
    """Say everything once, and of which groups where it is not of all."""
    groups: dict[Finding, list[str]] = {}
    for name, findings in found.items():
        for finding in findings:
            groups.setdefault(finding, []).append(name)
    return [
        Finding(
            one.level,
            one.message if len(names) == len(found) else f"{', '.join(names)}: {one.message}",
        )
        for one, names in groups.items()
    ]


def require_fit(
    protocol: Protocol,
    *,
    channels: Sequence[str],
    stored_size: int,
    masks: Sequence[str] = (),
    columns: Collection[str] | None = None,
) -> None:
    """Hold a protocol against crops of which no more may be known yet; the arguments are those of `check`.

    Raises
    ------
    ProtocolError
        With all errors.
    """
    found = check(
        protocol, channels=channels, stored_size=stored_size, masks=masks, columns=columns
    )
    refuse_errors(protocol, found)


def refuse_errors(
    protocol: Protocol, found: Sequence[Finding], *, data: object = "these cells"
) -> None:
    """Make sure that a protocol fits the data that it was held against.

    Raises
    ------
    ProtocolError
        With all errors that were found, a line each.
    """
    errors = [f"\n  {finding.message}" for finding in found if finding.level == "error"]
    if errors:
        raise ProtocolError(f"{protocol.name} does not fit {data}:{''.join(errors)}")


def _idle(protocol: Protocol) -> list[str]:
    """Name what is asked of groups of views where there are none."""
    asked = [key for key in ("own_stages", "divide_batch") if getattr(protocol.training, key)]
    if protocol.groups or not asked:
        return []
    do = "does" if len(asked) == 1 else "do"
    return [f"{listed(asked)} {do} nothing: there are no groups of views (groups:)"]


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
        f"{near or '.'} Give the plate's channels the protocol's names (--channel FILE={lacking[0]}; for crops that "
        "are there already, of `cellssl crops join`), or "
        "train with a protocol that extends this one and names the data's (channels:)"
    ]


def too_small(protocol: Protocol, stored_size: int) -> list[str]:
    """Refuse views that are larger than what is stored."""
    size = protocol.crop.size
    if size <= stored_size:
        return []
    return [
        f"crop.size is {size} px, but the crops have {stored_size} px; cut larger crops "
        f"(1.5 × {size} = {round(1.5 * size)} px is good), or make crop.size {stored_size} at most: a protocol of your "
        f"own says extends: and the name of this one, and crop: {{size: {stored_size}}}, a line each"
    ]


def _unmasked(protocol: Protocol, masks: Sequence[str]) -> list[str]:
    """Refuse operations on masks that the crops do not have."""
    found = []
    for recipe in protocol.views:
        for operation in recipe.operations:
            if isinstance(operation, Masking):
                try:
                    operation.layer(masks)
                except ValueError as error:
                    found.append(str(error))
    return list(dict.fromkeys(found))

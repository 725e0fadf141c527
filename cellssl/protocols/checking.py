"""Does a protocol fit the data? What is impossible (error) and what one should know (warning)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cellssl.augment import View, nearest
from cellssl.errors import ProtocolError
from cellssl.protocols.building import build_views, choose_channels
from cellssl.protocols.protocol import Protocol

__all__ = ["Finding", "check", "require_fit"]

_LITTLE = 0.0005  # share of a view's pixels: less than two pixels of 64 × 64


@dataclass(frozen=True)
class Finding:
    """One thing found: an error stops training, a warning should be known."""

    level: Literal["error", "warning"]
    message: str


def check(protocol: Protocol, *, channels: Sequence[str], stored_size: int) -> list[Finding]:
    """Hold a protocol against crops.

    Parameters
    ----------
    protocol
        The protocol.
    channels
        The crops' channel names.
    stored_size
        The crops' height and width in pixels.

    Returns
    -------
    list of Finding
        Errors first; empty where all is well.

    Examples
    --------
    >>> from cellssl.protocols import load
    >>> found = check(load("bbbc021-expert"), channels=["DAPI", "Tubulin", "ER"], stored_size=128)
    >>> found[0].message.split(";")[0]
    "channel 'Actin' is not in the data, which have DAPI, Tubulin, ER"
    """
    found = [*_missing(protocol, channels), *_too_small(protocol, stored_size)]
    if found:
        return found
    chosen = choose_channels(protocol, channels)
    views = build_views(protocol, chosen)
    shown = (views.view1,) if views.view1 is views.view2 else (views.view1, views.view2)
    for index, view in enumerate(shown):
        where = f"view {index + 1}: " if len(shown) > 1 else ""
        found += [Finding("warning", where + text) for text in _caveats(view, len(chosen))]
        found += [Finding("warning", where + text) for text in _border(view, stored_size)]
    return found


def require_fit(protocol: Protocol, *, channels: Sequence[str], stored_size: int) -> list[Finding]:
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
    findings = check(protocol, channels=channels, stored_size=stored_size)
    errors = [finding.message for finding in findings if finding.level == "error"]
    if errors:
        raise ProtocolError(f"{protocol.name} does not fit these cells: {'; '.join(errors)}")
    return findings


def _missing(protocol: Protocol, channels: Sequence[str]) -> list[Finding]:
    """Name the channels that the data lack."""
    if protocol.channels == "any":
        return []
    have = ", ".join(channels)
    return [
        Finding(
            "error",
            f"channel {name!r} is not in the data, which have {have}"
            + (near if "mean" in (near := nearest(name, channels)) else "")
            + "; rename the data's channel, or the protocol's",
        )
        for name in protocol.channels
        if name not in channels
    ]


def _too_small(protocol: Protocol, stored_size: int) -> list[Finding]:
    """Refuse views that are larger than what is stored."""
    size = protocol.crop.size
    if size <= stored_size:
        return []
    message = (
        f"crop.size is {size} px, but the crops have {stored_size} px; cut larger crops "
        f"(1.5 × {size} = {round(1.5 * size)} px is good), or make crop.size {stored_size} at most"
    )
    return [Finding("error", message)]


def _caveats(view: View, channels: int) -> list[str]:
    """Collect what operations say of this number of channels."""
    return [text for operation in view.operations for text in operation.caveats(channels)]


def _border(view: View, stored_size: int) -> list[str]:
    """Say how much of a view lies beyond the stored crops, where pixels are mirrored."""
    needed = view.stored_size()
    share = view.mirrored(stored_size) if needed > stored_size else 0.0
    if share < _LITTLE:
        return []
    return [
        f"{share:.1%} of a view's pixels lie beyond the stored crops of {stored_size} px and are "
        f"mirrored at the border; crops of {needed} px need no mirror"
    ]

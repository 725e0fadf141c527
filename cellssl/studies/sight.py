"""How a protocol's encoder sees cells: in which channels, how much of each, and how bright."""

from pathlib import Path
from typing import Any

from cellssl.crops import Scaling
from cellssl.protocols import Protocol, resolve


def scaling_rule(protocol: Protocol) -> Scaling:
    """Give a protocol's intensity scaling as the rule that crops are scaled by."""
    return Scaling(**protocol.crop.scaling.model_dump())


def sight(protocol: Protocol | str | Path) -> dict[str, Any]:
    """Say how a protocol's encoder sees cells, as arguments of `embed` that show them to a baseline alike."""
    protocol = resolve(protocol)
    return {
        "channels": None if protocol.channels == "any" else protocol.channels,
        "crop_size": protocol.crop.size,
        "scaling": scaling_rule(protocol),
    }

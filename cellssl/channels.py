"""What a channel's name says of how its picture came about."""

import re

__all__ = ["is_transmitted"]

_TRANSMITTED = re.compile(
    r"bright[\W_]*field|transmit|(?<!digital)(?<!digital[\W_])phase[\W_]*contrast|^phase$"
    r"|(?<![^\W_])(?:bf|dic|tl)(?![^\W_])|bf$",
    re.IGNORECASE,
)


def is_transmitted(channel: str) -> bool:
    """Say whether a channel shows light that passed through the cells: they are dark, or of both kinds.

    Examples
    --------
    >>> [name for name in ("Actin", "Brightfield", "HighZBF", "TL", "TLR4") if is_transmitted(name)]
    ['Brightfield', 'HighZBF', 'TL']
    """
    return _TRANSMITTED.search(channel) is not None

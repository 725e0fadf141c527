"""What a channel's name says of what it shows, and of how its picture came about."""

import re

# Parts of the names of channels that show nuclei, in small letters, the surest first.
NUCLEI = ("dapi", "dna", "hoechst", "h33342", "draq5", "nuclei", "nucleus", "nuc", "h2b")
_TRANSMITTED = re.compile(
    r"bright[\W_]*field|transmit|(?<!digital)(?<!digital[\W_])phase[\W_]*contrast|^phase$"
    r"|(?<![^\W_])(?:bf|dic)(?![^\W_])|(?<=z)bf$|^tl(?![^\W_])|^trans$",
    re.IGNORECASE,
)


def is_transmitted(channel: str) -> bool:
    """Say whether a channel shows light that passed through the cells: they are dark, or of both kinds.

    Examples
    --------
    >>> names = ("Actin", "Brightfield", "HighZBF", "RUNX1_CBF", "TL", "TLR4", "Lamin TL", "DIC")
    >>> [name for name in names if is_transmitted(name)]
    ['Brightfield', 'HighZBF', 'TL', 'DIC']
    """
    return _TRANSMITTED.search(channel) is not None

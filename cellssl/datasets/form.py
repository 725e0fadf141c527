"""What pictures of many kinds and sizes all become, and what is to be said about it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from cellssl.datasets.decoding import Look
from cellssl.datasets.picture import Picture
from cellssl.errors import CropError
from cellssl.words import natural_key

_CHANNELS = {
    "grey": ("Grey",),
    "grey16": ("Grey",),
    "colour": ("Red", "Green", "Blue"),
}


@dataclass(frozen=True)
class Form:
    """The one form of all pictures in a crop file.

    Attributes
    ----------
    kind : str
        ``grey``, ``colour`` or ``grey16``.
    side : int
        Pixels.
    enlarged : int
        How many pictures are smaller than that.
    changes : tuple of str
        What else is done to some pictures, with their number, a sentence each.
    """

    kind: str
    side: int
    enlarged: int = 0
    changes: tuple[str, ...] = ()

    @property
    def channels(self) -> tuple[str, ...]:
        """Grey, or red, green and blue."""
        return _CHANNELS[self.kind]

    @property
    def dtype(self) -> np.dtype:
        """The type of the pixels: uint8, or uint16 for ``grey16``."""
        return np.dtype(np.uint16 if self.kind == "grey16" else np.uint8)


def choose_form(looks: Sequence[tuple[str, Look]], size: int | None) -> Form:
    """Choose the kind of pixels and the side that suit all pictures.

    Parameters
    ----------
    looks : sequence of (str, Look)
        Name and look of each picture, at least one.
    size : int or None
        The side in pixels, where one is wanted.

    Raises
    ------
    CropError
        When depths are mixed, or sizes differ and `size` is None.
    """
    kinds = Counter(look.kind for _, look in looks)
    if "grey16" in kinds and len(kinds) > 1:
        deep = next(name for name, look in looks if look.kind == "grey16")
        flat = next(name for name, look in looks if look.kind != "grey16")
        raise CropError(
            f"{kinds['grey16']:,} pictures are 16-bit grey (e.g. {deep}) and "
            f"{len(looks) - kinds['grey16']:,} have 8 bits (e.g. {flat}): wanted one depth; "
            "convert them, or import them into two files"
        )
    sides = Counter((look.width, look.height) for _, look in looks)
    side = _only_side(sides) if size is None else size
    kind = "colour" if "colour" in kinds else next(iter(kinds))
    enlarged = sum(count for pair, count in sides.items() if min(pair) < side)
    return Form(kind, side, enlarged, _changes(looks, kinds))


def strange_classes(pictures: Iterable[Picture]) -> list[str]:
    """Say which splits have classes that the training set has not.

    A scored class that was never learnt is rare; a folder that is no class (``val/images``) is not.

    Examples
    --------
    >>> train = Picture("d/train/n01/1.png", "d", "train", "n01", "n01/1.png")
    >>> val = Picture("d/val/images/1.png", "d", "val", "images", "images/1.png")
    >>> strange_classes([train, val])
    ["d: 1 of 1 classes of val are none of train, e.g. 'images': are these folders classes?"]
    """
    classes: dict[str, dict[str, set[str]]] = {}
    for picture in pictures:
        if picture.kind:
            splits = classes.setdefault(picture.plate, {})
            splits.setdefault(picture.split, set()).add(picture.kind)
    return [
        f"{plate}: {len(strange)} of {len(splits[split])} classes of {split} are none of train, "
        f"e.g. {min(strange, key=natural_key)!r}: are these folders classes?"
        for plate, splits in classes.items()
        if "train" in splits
        for split in sorted(splits.keys() - {"train", ""})
        if (strange := splits[split] - splits["train"])
    ]


def _only_side(sides: Counter[tuple[int, int]]) -> int:
    (width, height), _ = sides.most_common(1)[0]
    if len(sides) == 1 and width == height:
        return width
    met = ", ".join(f"{w}×{h} ({n:,})" for (w, h), n in sides.most_common(5))
    more = f" and {len(sides) - 5:,} more" if len(sides) > 5 else ""
    shortest = min(min(pair) for pair in sides)
    raise CropError(
        f"pictures must be squares of one size; met {met}{more}. Give --size N (size=N): the "
        f"shorter side becomes N pixels and the middle is kept; the shortest side is {shortest}"
    )


def _changes(looks: Sequence[tuple[str, Look]], kinds: Counter[str]) -> tuple[str, ...]:
    """Count what is done to pictures, in a fixed order."""
    counts = Counter(change for _, look in looks for change in look.changes)
    if "colour" in kinds:
        counts["grey: repeated in red, green and blue"] = kinds["grey"]
    return tuple(
        f"{count:,} of {len(looks):,} pictures are {change}"
        for change, count in sorted(counts.items())
        if count
    )

"""Embeddings and crops as they are given: open already, or a file."""

from pathlib import Path
from typing import TYPE_CHECKING

from cellssl.crops import Crops
from cellssl.phenotypes import read_embedding

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["open_crops", "open_embedding"]


def open_embedding(embedding: "AnnData | str | Path") -> "AnnData":
    """Read an embedding where it is a path; give it back where it is one already."""
    return read_embedding(embedding) if isinstance(embedding, str | Path) else embedding


def open_crops(crops: Crops | str | Path) -> Crops:
    """Open a crop file where it is a path; give it back where it is open already."""
    return crops if isinstance(crops, Crops) else Crops.open(crops)

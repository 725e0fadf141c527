"""Embeddings as they are given: open already, or a file."""

from pathlib import Path
from typing import TYPE_CHECKING

from cellssl.phenotypes import read_embedding

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["open_embedding"]


def open_embedding(embedding: "AnnData | str | Path") -> "AnnData":
    """Read an embedding where it is a path; give it back where it is one already."""
    return read_embedding(embedding) if isinstance(embedding, str | Path) else embedding

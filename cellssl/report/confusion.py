"""Which classes an embedding tells apart, and which it takes for which."""

from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from cellssl.errors import EmbeddingError
from cellssl.phenotypes import measure_embeddings
from cellssl.report.figures.confusion import confusion_figure
from cellssl.words import listed

if TYPE_CHECKING:
    from anndata import AnnData


def confusion(
    embedding: "AnnData | str | Path",
    *,
    label: str | None = None,
    groups: str = "auto",
    normalise: str = "standardise",
) -> Figure:
    """Draw which class is taken for which by classifiers that never saw the cell's own plate.

    Parameters
    ----------
    embedding : AnnData or path
        As :func:`cellssl.evaluate` reads it.
    label : str, optional
        Column with the classes; a usual one when left out.
    groups, normalise
        As for :func:`cellssl.evaluate`: what training and scored cells are kept apart by, and how
        features are normalised.

    Returns
    -------
    Figure
        Rows: true classes; columns: what their cells were taken for, in percent; kNN and linear, and where
        several plates make a batch both across batches, too, where classes of one batch are not asked.

    Raises
    ------
    EmbeddingError
        When a column is missing or nothing can be kept apart.

    Examples
    --------
    >>> confusion("embedding.h5ad", label="MOA")  # doctest: +SKIP
    """
    measured = measure_embeddings(
        [embedding],
        label=label,
        groups=groups,
        normalise=normalise,
        seeds=(0,),  # of k-means, which is not drawn
        resamples=1,  # nor are intervals
        cell_count=False,
        progress=False,
    )
    if measured.confusions.empty:
        scores = measured.scores
        notes = scores.loc[scores["metric"].isin(["knn", "linear"]), "note"]
        raise EmbeddingError(
            f"no class is told from others: {listed([*dict.fromkeys(map(str, notes))])}"
        )
    return confusion_figure(measured.confusions)

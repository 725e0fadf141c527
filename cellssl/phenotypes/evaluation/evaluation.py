"""`evaluate`: embeddings scored in one call, given back and saved as one tidy table."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from cellssl.phenotypes.evaluation.scoring import MOST_CELLS, Embeddings, measure_embeddings


def evaluate(
    embeddings: Embeddings,
    *,
    label: str | None = None,
    out: str | Path | None = None,
    subsets: Mapping[str, Sequence[str]] | None = None,
    groups: str = "auto",
    seeds: int | Sequence[int] = (0, 1, 2),
    normalise: str = "standardise",
    controls: str | None = None,
    aggregate: str = "median",
    where: str | None = None,
    held_out: bool = False,
    used_plates: bool = False,
    sample: int | None = MOST_CELLS,
    resamples: int = 400,
    progress: bool = True,
) -> pd.DataFrame:
    """Score embeddings by a label, with intervals and confounders, in one tidy table.

    Clusters: normalise, 50 principal components, k-means with the true number of classes (mean of
    the starts in `seeds`) or Leiden. kNN: 20 neighbours from other groups, weight
    exp(cosine / 0.1), votes balanced over classes. Linear: logistic regression, C 0.02, balanced,
    five folds of whole groups. Both as balanced accuracy: chance is 1 / classes.

    Images with a usual test set (a column Metadata_Split that says train and test) are learnt from
    in one direction, train to test, and every metric is of the test images alone. `standardise`
    then takes mean and deviation over both, without labels: the features of the test images have
    their part in it, as those of all plates have among cells.

    Where the label is Metadata_MOA and the cells name compounds: is the treatment (compound at a
    concentration, negative controls left out) with the most similar profile by the cosine of the
    same mechanism? NSC, neighbours of the same compound excluded; NSCB, those that share a batch
    too, without mechanisms in one batch only. Both as k / n, with n treatments; their intervals
    come from draws of treatments.

    Intervals are 95 %, from draws of treatments within each class (of wells in a class with fewer
    than three treatments). Predictions and clusters are resampled, nothing is fitted again; where
    an embedding has several training seeds, their differences widen the interval too.

    Parameters
    ----------
    embeddings : sequence or mapping
        AnnData or files (see `read_embedding`). Those of one name with different
        `uns["cellssl"]["seed"]` are repetitions. Only cells that all of them have are scored.
    label : str
        Column of obs with the classes, with or without ``Metadata_``; MOA, Phenotype, Compound,
        Gene, Control or Class when left out, see `usual_label`. Cells without are left out and counted.
    out : path, optional
        Folder for scores.csv, scores.json, per_class.csv, confusion.csv and (with two embeddings)
        differences.csv and class_differences.csv: see `Measurements.save`.
    subsets : mapping, optional
        Name → classes, scored beside all classes.
    groups : str
        What kNN and linear are kept apart by: `auto` (the test set where Metadata_Split tells train
        from test, or from val when there is no test; else plates; else wells), `split`, `plate`,
        `well` or a column, Metadata_Compound say.
    seeds : int or sequence of int
        Starts of k-means and Leiden: how many (seeded 0, 1, …), or which.
    normalise : str
        `standardise`, `plate-standardise`, `control-percentile`, `tvn`, … or several joined by
        ``+``: see `normalise_features`.
    controls : str, optional
        COLUMN=VALUE of the negative controls; Metadata_Control=negative when left out.
    aggregate : str
        `median`, `mean` or `trimmed-mean`: of a well's cells and of a treatment's wells, for NSC
        and NSCB.
    where : str, optional
        Column of truth values: score these cells only, and learn from no others.
    held_out : bool
        Where a training took positives by labels that the scored one follows from: score, and learn
        from, only cells of plates whose labels no training used. Without it such a score is refused.
    used_plates : bool
        With `held_out`, also score the other plates' cells by all classes, as a subset "used plates":
        how far such labels mislead where they were used. Of embeddings that learnt from these labels
        its rows say nothing of new plates, which stands in their note.
    sample : int, optional
        Of more labelled cells than this a seeded sample, evenly over the wells, is scored, which is
        said; None scores all, and images with a test set always are. Normalisations are fitted as they
        would be to all cells, but for `standardise`.
    resamples : int
        Draws for the intervals.
    progress : bool
        Whether a bar is drawn.

    Returns
    -------
    DataFrame
        embedding, label, subset, split, normalisation, metric, value, low, high, n, seed, classes,
        replicates, weak, note. A score that cannot be had is NaN, and `note` says why. Metrics are

        - ami_kmeans, ami_leiden, silhouette, knn, linear;
        - clusters_leiden: how many Leiden finds; its interval is of training seeds alone;
        - knn_batches, linear_batches, where several plates make a batch: learnt from other batches only,
          of the classes that lie in several;
        - ami_plate, … of the confounders, plate, batch, and the well's row, column and edge: the same
          k-means clusters against them;
        - linear_plate, … of the same: how well they can be read from the features of other wells;
          chance is 1 / classes;
        - knn_top1, linear_top1, on a test set: the share of all images that is right;
        - nsc, nscb, of mechanisms: their n counts treatments.

        The embedding "cell-count" knows nothing but how many cells a well has; its rows are there
        where that is known and differs.

    Raises
    ------
    EmbeddingError
        When an embedding or a column is missing or unfit.
    """
    measured = measure_embeddings(
        embeddings,
        label=label,
        subsets=subsets,
        groups=groups,
        seeds=seeds,
        normalise=normalise,
        controls=controls,
        aggregate=aggregate,
        where=where,
        held_out=held_out,
        used_plates=used_plates,
        cell_count=True,
        sample=sample,
        resamples=resamples,
        progress=progress,
    )
    if out is not None:
        measured.save(out)
    return measured.scores

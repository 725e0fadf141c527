"""Label-free normalisations of features, the same for every embedding in one table."""

import logging
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellssl.columns import BATCH, PLATE
from cellssl.errors import EmbeddingError, nearest
from cellssl.phenotypes.columns import text_column
from cellssl.phenotypes.controls import control_cells
from cellssl.phenotypes.embeddings.blocks import block_names, blockwise
from cellssl.phenotypes.embeddings.matching import features
from cellssl.phenotypes.embeddings.reading import read_embedding
from cellssl.phenotypes.normalisation.factors import FACTORS, fit_factors
from cellssl.phenotypes.normalisation.harmony import harmony
from cellssl.phenotypes.normalisation.plate_scaling import scale_plates
from cellssl.phenotypes.normalisation.whitening import coral, fit_sphering, fit_whitening
from cellssl.scores import standardise
from cellssl.words import counted

_LOG = logging.getLogger(__name__)

NORMALISATIONS = (
    "standardise",
    "plate-standardise",
    "control-standardise",
    "plate-robust",
    "control-robust",
    "control-percentile",
    "sphere",
    "control-sphere",
    "tvn",
    "factor-analysis",
    "coral",
    "control-coral",
    "harmony",
    "none",
)


@dataclass(frozen=True)
class _Cells:
    """What is known of N cells besides their features."""

    plates: NDArray | None
    controls: NDArray[np.bool_] | None
    batches: NDArray | None

    def reference(self, rule: str, count: int) -> NDArray[np.bool_]:
        """Say which of so many cells a rule is fitted to: the negative controls, or all."""
        if not (rule.startswith("control-") or rule in ("tvn", "factor-analysis")):
            return np.ones(count, dtype=bool)
        if self.controls is None or not self.controls.any():
            raise EmbeddingError(
                f"normalisation {rule!r} needs negative controls: a column Metadata_Control that "
                "says 'negative', or name them as COLUMN=VALUE (controls=, --controls). Without "
                "controls take 'plate-standardise'."
            )
        return self.controls


def normalise_features(
    X: ArrayLike,
    rows: ArrayLike,
    *,
    rule: str = "standardise",
    plates: ArrayLike | None = None,
    controls: ArrayLike | None = None,
    batches: ArrayLike | None = None,
    blocks: ArrayLike | None = None,
) -> NDArray[np.float32]:
    """Normalise the features of the rows that are scored, without labels.

    Parameters
    ----------
    X : (N, D)
        Features of all cells, or of all wells.
    rows : (n,) int
        The cells that are scored; of a test set also those that are learnt from.
    rule : str
        One of these, or several joined by ``+``, each applied to what the one before gives
        (`control-robust+control-sphere`). All but `standardise` are fitted to cells whether scored
        or not.

        - `none`.
        - `standardise`: mean 0, deviation 1 over the scored rows.
        - `plate-standardise`, `control-standardise`: over all cells, or the negative controls, of
          each plate.
        - `plate-robust`, `control-robust`: the same with the median and 1.4826 × the median
          absolute deviation.
        - `control-percentile`: the 1st and 99th percentile of each plate's negative controls become
          0 and 1 (Ljosa et al. 2013).
        - `sphere`, `control-sphere`: features made uncorrelated over all cells, or the negative
          controls, of all plates together; regularised, see `fit_sphering`.
        - `tvn`: the leading principal components of the negative controls of all plates, each with
          variance 1 among them, see `fit_whitening`; `tvn+control-coral` is Ando et al. 2017.
        - `factor-analysis`: 50 factors of the negative controls of all plates, see `fit_factors`;
          `control-percentile+factor-analysis` is the other profile of Ljosa et al. 2013.
        - `coral`, `control-coral`: each batch's mean and covariance, of all its cells or of its
          negative controls, become those of all batches; regularised, see `coral`.
        - `harmony`: 50 principal components of all cells, corrected for the batch by harmonypy
          (``pip install 'cellssl[harmony]'``).
    plates : (N,), optional
        Plate of every cell; needed by the rules that work per plate.
    controls : (N,) bool, optional
        Negative controls.
    batches : (N,), optional
        Batch of every cell, for CORAL and Harmony.
    blocks : (D,), optional
        Of a combined embedding: the block of each feature. Each is normalised by itself, and then all
        weigh alike, see `blockwise`; `none` leaves them as they are.

    Returns
    -------
    (n, D) float32
        Fewer columns than D from `tvn`, `factor-analysis` and `harmony`.

    Raises
    ------
    EmbeddingError
        When the rule is unknown, or a plate has too few cells for it.
    """
    X, rows = np.asarray(X, dtype=np.float32), np.asarray(rows)
    cells = _Cells(
        None if plates is None else np.asarray(plates),
        None if controls is None else np.asarray(controls, dtype=bool),
        None if batches is None else np.asarray(batches),
    )
    steps = check_normalisation(rule)
    if blocks is None or set(steps) == {"none"}:
        return _apply_all(steps, X, rows, cells)
    return blockwise(X, np.asarray(blocks), lambda part: _apply_all(steps, part, rows, cells))


def _apply_all(
    steps: Sequence[str], X: NDArray[np.float32], rows: NDArray[np.int64], cells: _Cells
) -> NDArray[np.float32]:
    """Normalise all cells by the first steps, and the rows by the last."""
    *first, last = steps
    for step in first:
        X = _apply(step, X, np.arange(len(X)), rows, cells)
    return _apply(last, X, rows, rows, cells)


def normalise_embedding(
    adata: ad.AnnData | str | Path, rule: str, *, controls: str | None = None
) -> ad.AnnData:
    """Normalise all cells (or wells) of an embedding by one of the rules.

    Parameters
    ----------
    adata : AnnData or path
        X (N, D); plates, controls and batches come from `Metadata_Plate`, `Metadata_Control` and
        `Metadata_Batch`, blocks from `combine`. It is not changed.
    rule : str
        See `normalise_features`.
    controls : str, optional
        COLUMN=VALUE of the negative controls; Metadata_Control=negative when left out.

    Returns
    -------
    AnnData
        Features are called as before where there are as many, else 1, 2, …; `uns["cellssl"]` says
        the rule.

    Examples
    --------
    >>> normalise_embedding("results/map.h5ad", "plate-robust")  # doctest: +SKIP
    """
    check_normalisation(rule)
    adata = read_embedding(adata)
    X = normalise_features(
        features(adata),
        np.arange(adata.n_obs),
        rule=rule,
        plates=text_column(adata.obs, PLATE),
        batches=text_column(adata.obs, BATCH),
        controls=control_cells(adata.obs, controls),
        blocks=block_names(adata),
    )
    result = ad.AnnData(X, obs=adata.obs.copy())
    if X.shape[1] == adata.n_vars:
        result.var = adata.var.copy()
    else:
        result.var_names = [str(number + 1) for number in range(X.shape[1])]
    result.uns["cellssl"] = {**deepcopy(adata.uns.get("cellssl", {})), "normalisation": rule}
    return result


def check_normalisation(rule: str) -> list[str]:
    """Part a normalisation into its steps, each of which must be one of `NORMALISATIONS`."""
    steps = [step.strip() for step in rule.split("+")]
    for step in steps:
        check_rule(step, NORMALISATIONS)
    return steps


def check_rule(rule: str, choices: Sequence[str]) -> None:
    """Raise an EmbeddingError naming the nearest normalisation unless `rule` is one."""
    if rule not in choices:
        near = nearest(rule, choices, listed=True)
        raise EmbeddingError(f"unknown normalisation {rule!r}: wanted {', '.join(choices)}{near}")


def _apply(
    rule: str,
    X: NDArray[np.float32],
    wanted: NDArray[np.int64],
    scored: NDArray[np.int64],
    cells: _Cells,
) -> NDArray[np.float32]:
    """Normalise the wanted rows by one step."""
    if rule == "none":
        return X[wanted]
    if rule == "standardise":
        return standardise(X[wanted], reference=X[scored])
    reference = cells.reference(rule, len(X))
    method = rule.rsplit("-", 1)[-1]
    if method == "tvn":
        _say_few(rule, reference, X.shape[1])
        return fit_whitening(X[reference]).apply(X[wanted])
    if rule == "factor-analysis":
        _say_few(rule, reference, min(X.shape[1], FACTORS))
        return fit_factors(X[reference]).apply(X[wanted])
    if method == "sphere":
        return fit_sphering(X[reference]).apply(X[wanted])
    if method in ("coral", "harmony"):
        if cells.batches is None:
            raise EmbeddingError(f"normalisation {rule!r} needs batches: a column Metadata_Batch.")
        if method == "harmony":
            return harmony(X, cells.batches)[wanted]
        return coral(X, cells.batches, reference=reference)[wanted]
    if cells.plates is None:
        raise EmbeddingError(f"normalisation {rule!r} needs the plates: a column Metadata_Plate.")
    return scale_plates(X, wanted, cells.plates, reference, scaling=method, rule=rule)


def _say_few(rule: str, reference: NDArray[np.bool_], directions: int) -> None:
    """Say that so few controls vary along fewer directions than there are: the others are lost."""
    count = int(reference.sum())
    if count <= directions:
        _LOG.warning(
            "%s is fitted to %s, and leaves out what they do not vary by: at most %d directions remain. "
            "'control-sphere' keeps all.",
            rule,
            counted(count, "negative control"),
            count - 1,
        )

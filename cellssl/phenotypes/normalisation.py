"""Label-free normalisations of features, the same for every embedding in one table."""

import difflib

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cellssl.errors import EmbeddingError
from cellssl.scores import standardise

__all__ = ["NORMALISATIONS", "normalise_features"]

NORMALISATIONS = ("standardise", "plate-standardise", "control-standardise", "none")

# A plate needs so many cells before its own mean and deviation are trusted.
ENOUGH = 10

# On one plate a feature's deviation counts as at least this share of its deviation over all cells:
# where a network's unit is silent but for one cell, that cell would otherwise decide everything.
FLOOR = 0.1


def normalise_features(
    X: ArrayLike,
    rows: ArrayLike,
    *,
    rule: str = "standardise",
    plates: ArrayLike | None = None,
    controls: ArrayLike | None = None,
) -> NDArray[np.float32]:
    """Normalise the features of the rows that are scored, without labels.

    Parameters
    ----------
    X : (N, D)
        Features of all cells.
    rows : (n,) int
        The cells that are scored; of a test set also those that are learnt from.
    rule : str
        `standardise`: mean 0, deviation 1 over these rows. `plate-standardise`: over all
        cells of each plate, scored or not. `control-standardise`: over the negative controls of
        each plate. `none`.
    plates : (N,), optional
        Plate of every cell; needed by the rules that work per plate.
    controls : (N,) bool, optional
        Negative controls.

    Returns
    -------
    (n, D) float32

    Raises
    ------
    EmbeddingError
        When the rule is unknown, or a plate has too few cells for it.
    """
    X, rows = np.asarray(X, dtype=np.float32), np.asarray(rows)
    check_rule(rule, NORMALISATIONS)
    if rule == "none":
        return X[rows]
    if rule == "standardise":
        return standardise(X[rows])
    if plates is None:
        raise EmbeddingError(f"normalisation {rule!r} needs the plates: a column Metadata_Plate.")
    if rule == "plate-standardise":
        chosen = np.ones(len(X), dtype=bool)
    elif controls is None or not np.asarray(controls, dtype=bool).any():
        raise EmbeddingError(
            f"normalisation {rule!r} needs negative controls: a column Metadata_Control that says "
            "'negative'. Without controls take 'plate-standardise'."
        )
    else:
        chosen = np.asarray(controls, dtype=bool)
    return _per_plate(X, rows, np.asarray(plates), chosen, rule=rule)


def check_rule(rule: str, choices: tuple[str, ...]) -> None:
    """Raise an EmbeddingError naming the nearest normalisation unless `rule` is one."""
    if rule not in choices:
        near = difflib.get_close_matches(rule, choices, n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise EmbeddingError(f"unknown normalisation {rule!r}: wanted {', '.join(choices)}.{hint}")


def _per_plate(
    X: NDArray[np.float32],
    rows: NDArray[np.int64],
    plates: NDArray,
    chosen: NDArray[np.bool_],
    *,
    rule: str,
) -> NDArray[np.float32]:
    """Standardise the rows of each plate by that plate's chosen cells."""
    floor = FLOOR * X[chosen].std(axis=0, dtype=np.float64)
    result = np.empty((len(rows), X.shape[1]), dtype=np.float32)
    codes, names = pd.factorize(plates)
    for code in np.unique(codes[rows]):
        source = X[chosen & (codes == code)]
        if len(source) < ENOUGH:
            raise EmbeddingError(
                f"normalisation {rule!r}: plate {names[code] if code >= 0 else 'without name'} has "
                f"{len(source)} cells for it, wanted at least {ENOUGH}. Take 'standardise'."
            )
        deviation = np.maximum(source.std(axis=0, dtype=np.float64), floor)
        here = codes[rows] == code
        centred = X[rows[here]] - source.mean(axis=0, dtype=np.float64)
        result[here] = centred / np.where(deviation > 0, deviation, 1)
    return result

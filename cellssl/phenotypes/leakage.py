"""Labels that training used: no score may ask for them again on the cells that they were taken from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.columns import PLATE, text_array, texts_of
from cellssl.errors import EmbeddingError
from cellssl.phenotypes.columns import text_values
from cellssl.words import counted

# What to do where training was given the labels of all plates.
KEEP_OUT = (
    "keep some plates out and score those, with `positives: {kind: …, exclude_plates: [PLATE, …]}` and, "
    "where amplitudes were suggested, `cellssl protocols suggest --plate PLATE` for each of the others; or "
    "take positives: same_cell, with amplitudes that no label chose."
)

USED_PLATES = "used plates"  # the subset of cells whose labels a training used

# What the mark † says of an embedding.
WEAK_LABELS = (
    "trained with other cells of the same well or treatment as positives, or with amplitudes chosen "
    "by labels: weak labels"
)

# A label follows from the columns that training used when it is the same for all cells of so many of
# their groups: a few treatments of two mechanisms, or a mistyped well, do not make a score fair.
SHARE = 0.9

_MOST_NAMES = 5  # of plates in a message


def marked(name: object, weak: bool | np.bool) -> str:
    """Write an embedding's name, with a † where it was made with weak labels.

    Examples
    --------
    >>> marked("expert", True), marked("expert", False)
    ('expert †', 'expert')
    """
    return f"{name} †" if weak else str(name)


@dataclass(frozen=True)
class UsedLabels:
    """Whose labels a training took its positives from.

    Attributes
    ----------
    columns : tuple of str
        Columns of the cells' table that told which cells are positives of one another; empty when
        that is not known.
    plates : tuple of str
        Plates whose cells' columns were looked at; empty when these are all, or not known.
    """

    columns: tuple[str, ...] = ()
    plates: tuple[str, ...] = ()

    @classmethod
    def read(cls, provenance: Mapping[str, Any]) -> "UsedLabels | None":
        """Read it from `uns["cellssl"]`; None where training used no labels.

        An embedding that is marked weak and does not say more may have used any label of any plate.
        """
        if not provenance.get("weak", False):
            return None
        return cls.of(provenance.get("labels_used", {}))

    @classmethod
    def of(cls, lists: Mapping[str, Any]) -> "UsedLabels":
        """Take what a checkpoint or `cellssl.protocols.used_labels` says."""
        return cls(*(tuple(map(str, lists.get(key, ()))) for key in ("columns", "plates")))

    def rows(self, obs: pd.DataFrame) -> NDArray[np.bool_]:
        """Tell which of N cells lie on plates whose labels were used: (N,)."""
        if not self.plates or PLATE not in obs.columns:
            return np.ones(len(obs), dtype=bool)
        return obs[PLATE].astype(str).isin(self.plates).to_numpy(dtype=bool)

    def tell(self, obs: pd.DataFrame, label: str) -> bool:
        """Whether the label of a cell follows from the columns that were used.

        A label with one value on all those plates follows from nothing that could have been learnt.
        """
        if not self.columns or not set(self.columns) <= set(obs.columns):
            return True  # what cannot be looked up is not taken for fair
        own = obs[self.rows(obs)]
        if not len(own):
            return False
        table = pd.DataFrame({"label": text_values(own[label], label)})
        names = [text_array(texts_of(own[name])) for name in self.columns]
        table["group"] = pd.MultiIndex.from_arrays(names).factorize()[0]
        # Cells without a value were given no label: what is marked are controls alone, say.
        marked = np.any([values != "" for values in names], axis=0)
        table = table[(table["label"] != "") & marked]
        if table["label"].nunique() < 2:
            return False
        groups = table.groupby("group")["label"].agg(["size", "nunique"])
        several = groups[groups["size"] > 1]
        return bool(several.empty or (several["nunique"] == 1).mean() >= SHARE)


def fair_cells(
    obs: pd.DataFrame, label: str, used: Mapping[str, UsedLabels | None]
) -> NDArray[np.bool_]:
    """Find the cells whose label no training used.

    Parameters
    ----------
    obs : DataFrame (N rows)
        The cells.
    label : str
        The column that is scored.
    used : mapping
        Name of each embedding → labels that its training used.

    Returns
    -------
    (N,) bool
    """
    fair = np.ones(len(obs), dtype=bool)
    for one in used.values():
        if one is not None and one.tell(obs, label):
            fair &= ~one.rows(obs)
    return fair


def refuse_leaks(
    obs: pd.DataFrame,
    label: str,
    used: Mapping[str, UsedLabels | None],
    scored: NDArray[np.int64] | None = None,
) -> None:
    """Make sure that no score asks for a label on cells whose training used it.

    Parameters
    ----------
    scored : (n,) int64, optional
        Rows that are to be scored; all when left out. The others are as for `fair_cells`.

    Raises
    ------
    EmbeddingError
        Names the embedding, the label and the plates, and says what can be scored instead.
    """
    rows = np.arange(len(obs)) if scored is None else scored
    leaking = {
        name: one
        for name, one in used.items()
        if one is not None and one.tell(obs, label) and one.rows(obs)[rows].any()
    }
    if not leaking:
        return
    name, one = next(iter(leaking.items()))
    others = f" (and {len(leaking) - 1} more)" if len(leaking) > 1 else ""
    raise EmbeddingError(
        f"{name}{others}: {_explain_use(one, label)} A score of {label} on these cells would be one of the "
        f"labels that training was given. {_offer_fair(obs, fair_cells(obs, label, used), rows)}"
    )


def _explain_use(used: UsedLabels, label: str) -> str:
    """Say what training used."""
    if not used.columns:
        return "it is marked weak, and its provenance does not say which labels training used."
    plates = "all plates"
    if used.plates:
        more = ", …" if len(used.plates) > _MOST_NAMES else ""
        names = ", ".join(used.plates[:_MOST_NAMES])
        plates = f"{counted(len(used.plates), 'plate')} ({names}{more})"
    return (
        f"its training took {', '.join(used.columns)} of {plates} for positives, or its amplitudes "
        f"were chosen by them, and {label} follows from that."
    )


def _offer_fair(obs: pd.DataFrame, fair: NDArray[np.bool_], rows: NDArray[np.int64]) -> str:
    """Offer what is fair."""
    left = rows[fair[rows]]
    if not len(left):
        return f"No cell is left whose labels were not used: {KEEP_OUT}"
    count = obs[PLATE].iloc[left].nunique() if PLATE in obs.columns else 0
    plates = f" of {counted(count, 'plate')}" if count else ""
    return (
        f"Score the {len(left):,} cells{plates} whose labels training never used: held_out=True "
        "(--held-out)."
    )

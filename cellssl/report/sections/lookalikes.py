"""Groups and pairs of treatments that look alike, found in the matrix of their similarity."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster
from sklearn.metrics import silhouette_score

from cellssl.columns import GENE, texts_of
from cellssl.phenotypes.treatments.activity import call_active
from cellssl.phenotypes.treatments.similarity import AGENTS
from cellssl.report.figures.similarity import similarity_linkage
from cellssl.report.figures.style import as_categories

if TYPE_CHECKING:
    from cellssl.phenotypes import Similarity


ALIKE = 0.5  # average similarity below which a branch of the tree is no group of look-alikes, nor a pair one
EVERY = 40  # numbers of groups up to which each is tried, beyond which ever fewer are


@dataclass(frozen=True)
class Answer:
    """What the similarity says, ready for words and figures; negative controls are left out.

    Attributes
    ----------
    matrix
        (T, T) similarity of treatments.
    activity
        Treatment → distance from the negative control; empty when there is none.
    active
        Treatment → told apart from the negative control; without those that had too few wells to
        be tested.
    labels
        Treatment → label, "not known" where it has none.
    compounds
        Treatment → compound, or gene; the treatment itself where neither is known.
    agent
        What these are: "compound" or "gene".
    cells
        Treatment → number of cells.
    neighbours
        treatment, rank, neighbour, similarity, same_label.
    """

    matrix: pd.DataFrame
    activity: "pd.Series[float]"
    active: "pd.Series[bool]"
    labels: Mapping[str, str]
    compounds: Mapping[str, str]
    agent: str
    cells: "pd.Series[int]"
    neighbours: pd.DataFrame


def read_answer(similarity: "Similarity") -> Answer:
    """Take the tables; call treatments active at a false discovery rate of 5 %."""
    table = similarity.treated
    agent = next((name for name in AGENTS if name in table), None)
    compounds = table.index if agent is None else texts_of(table[agent])
    return Answer(
        matrix=similarity.matrix.loc[table.index, table.index],
        activity=table["activity"].dropna(),
        active=call_active(table),
        labels=dict(zip(table.index, as_categories(table["label"]), strict=True)),
        compounds=dict(zip(table.index, compounds, strict=True)),
        agent="gene" if agent == GENE else "compound",
        cells=table["cells"],
        neighbours=similarity.neighbours,
    )


def candidates(answer: Answer) -> list[str]:
    """Name the treatments that differ from the control: the others look alike as nothing happened.

    All of them where that was not tested, or where fewer than two differ.
    """
    active = [name for name in answer.matrix.index if answer.active.get(name, False)]
    return active if len(active) > 1 else list(answer.matrix.index)


def find_groups(answer: Answer, names: list[str]) -> list[list[str]]:
    """Cut the tree of two treatments or more where its groups are best separated (silhouette); the tightest first.

    Groups with an average similarity below `ALIKE` do not look alike and are left out.
    """
    matrix = answer.matrix.loc[names, names]
    _, cut = max(_cuts(matrix, similarity_linkage(matrix)), key=lambda one: one[0])
    groups = [
        [name for name, at in zip(names, cut, strict=True) if at == each] for each in np.unique(cut)
    ]
    alike = [group for group in groups if len(group) > 1 and tightness(answer, group) >= ALIKE]
    return sorted(alike, key=lambda group: -tightness(answer, group))


def _cuts(matrix: pd.DataFrame, tree: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """Try numbers of groups: (silhouette, group of each treatment); one group to begin with."""
    distance = np.clip(1 - np.nan_to_num(matrix.to_numpy(float)), 0, None)
    np.fill_diagonal(distance, 0)
    tried = [(0.0, np.ones(len(matrix), int))]
    most = len(matrix) - 1
    many = np.geomspace(EVERY, max(most, EVERY), 2 * EVERY).astype(int)
    for count in dict.fromkeys([*range(2, min(most, EVERY) + 1), *many]):
        cut = fcluster(tree, count, criterion="maxclust")
        if 1 < len(np.unique(cut)) < len(matrix):
            tried.append((float(silhouette_score(distance, cut, metric="precomputed")), cut))
    return tried


def tightness(answer: Answer, group: list[str]) -> float:
    """Average the similarity over the pairs of a group."""
    values = answer.matrix.loc[group, group].to_numpy(float)
    return float(np.nan_to_num(values[~np.eye(len(group), dtype=bool)]).mean())


def find_pairs(answer: Answer, names: list[str]) -> list[tuple[str, str, float]]:
    """Find treatments of two compounds that are each other's nearest, one pair for two compounds.

    Two doses of one compound are left out: that they look alike is expected; and so are nearest
    neighbours with a similarity below `ALIKE`.
    """
    values = np.nan_to_num(answer.matrix.loc[names, names].to_numpy(float, copy=True), nan=-np.inf)
    compounds = np.array([answer.compounds[name] for name in names])
    values[compounds[:, None] == compounds[None, :]] = -np.inf
    if not np.isfinite(values).any():
        return []
    nearest = values.argmax(axis=1)
    mutual = [
        (names[i], names[j], float(values[i, j]))
        for i, j in enumerate(nearest)
        if nearest[j] == i and i < j and values[i, j] >= ALIKE
    ]
    best: dict[frozenset[str], tuple[str, str, float]] = {}
    for pair in sorted(mutual, key=lambda pair: -pair[2]):
        best.setdefault(frozenset(answer.compounds[name] for name in pair[:2]), pair)
    return list(best.values())

"""The settings of a study ranked before any is trained, and held against what training showed."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm, permutation_test, spearmanr

from cellssl.crops import Crops
from cellssl.errors import StudyError
from cellssl.files import atomic, make_folder
from cellssl.phenotypes import require_label
from cellssl.progress import bar
from cellssl.studies.audit.cells import cases_of, open_cells
from cellssl.studies.audit.references import reference_named
from cellssl.studies.audit.standing import Moved, Standing
from cellssl.studies.outcome import TOGETHER
from cellssl.studies.planning import plan_runs
from cellssl.studies.study import Study

__all__ = ["Ranking", "rank_settings"]

_DRAWS = 2000
_FEWEST = 4  # settings from which on an order can be compared


@dataclass(frozen=True)
class Ranking:
    """What an audit expects of a study's settings.

    Attributes
    ----------
    settings : DataFrame
        combination, before and after (how often a cell is put right between two classes, in the
        reference, from the cells as they are and from what the whole view leaves), cost (share of the
        visible contrast that is lost) and moved (how far the view moves cells, in units of the root
        mean square distance of two cells), the best outlook first.
    agreement : DataFrame
        metric, predictor (``after``, or ``moved``: amplitude alone), spearman, low, high, p_value,
        settings: rank correlation with the scores of the trained encoders; less movement is taken to
        be better. The 95 % intervals resample settings, and say too much of few: of four in the
        right order every draw is. *p_value* is twice the share of all orders of the scores that
        correlate as well (of 9,999 drawn ones from eight settings on). Settings that share
        operations are no independent ones, so that it is a lower bound. NaN where all are predicted,
        or scored, alike. Empty before training.
    """

    settings: pd.DataFrame
    agreement: pd.DataFrame

    def save(self, folder: str | Path) -> Path:
        """Write both tables into a folder."""
        folder = make_folder(folder)
        for name, table in (("predicted", self.settings), ("agreement", self.agreement)):
            with atomic(folder / f"{name}.csv") as part:
                table.to_csv(part, index=False)
        return folder


def rank_settings(
    study: Study,
    crops: Crops | str | Path,
    *,
    label: str | None = None,
    scores: str | Path | None = None,
    reference: str = "measures",
    weights: str | Path | None = None,
    cells: int = 500,
    draws: int = 2,
    seed: int = 0,
    progress: bool = False,
) -> Ranking:
    """Audit the whole view of every setting of a study, and rank them.

    Of a setting with several groups of views, each contrast counts as the group keeps it that keeps
    it best, and cells as moved as by the group that moves them least.

    Parameters
    ----------
    study
        The study; its `where` is taken.
    crops
        The crop file.
    label
        Column of the classes; the study's when left out.
    scores
        The study's ``scores.csv``, to hold the order against.
    reference, weights, cells, draws, seed
        As in `cellssl.audit`.

    Raises
    ------
    EmbeddingError
        When there is no label.
    StudyError
        When fewer than two classes are there, or `scores` are another study's.
    """
    crops = Crops.open(crops)
    label = require_label(crops.obs, label or study.label)
    runs = [run for run in plan_runs(study) if run.seed == 0]
    rows = []
    with bar(shown=progress) as display:
        task = display.add_task(f"audit {study.name}", total=len(runs), note="")
        for run in runs:
            sample, column = open_cells(
                run.protocol, crops, label=label, cells=cells, where=study.where
            )
            known = reference_named(reference, sample.channels, weights=weights, seed=seed)
            views = cases_of(run.protocol, sample.channels, crops.mask_names, ())
            features = sample.unchanged(views[0].views[0], known)
            standing = Standing(known, features, sample.obs, label=column, nuisances={})
            moves = [
                standing.moved(sample.moved(view, [known], draws=draws, seed=seed)[known.name])
                for view in views
            ]
            rows.append({"combination": run.combination, **_outlook(standing, moves)})
            display.advance(task)
    table = pd.DataFrame(rows).sort_values("after", ascending=False, kind="stable")
    return Ranking(table.reset_index(drop=True), _agreement(table, scores))


def _outlook(standing: Standing, moves: list[Moved]) -> dict[str, float]:
    """Say how well classes are told before the views and after them, and how far these move cells."""
    kept = np.max([standing.separations(moved) for moved in moves], axis=0)
    chosen = tuple(standing.visible().T)
    lost = 1 - kept[chosen] / standing.pairs[chosen]
    spread = float(np.sqrt(2 * standing.X.var(axis=0).sum()))
    return {
        "before": standing.accuracy(),
        "after": float(norm.cdf(kept[np.triu_indices(len(kept), 1)] / 2).mean()),
        "cost": float(lost.mean()) if len(lost) else float("nan"),
        "moved": min(moved.distance for moved in moves) / spread,
    }


def _agreement(predicted: pd.DataFrame, scores: str | Path | None) -> pd.DataFrame:
    """Correlate what was predicted with what was scored, over settings."""
    columns = ["metric", "predictor", "spearman", "low", "high", "p_value", "settings"]
    if scores is None:
        return pd.DataFrame(columns=columns)
    table = pd.read_csv(scores, dtype={"seed": str})
    table = table[(table["seed"] == "mean") & (table["subset"] == "all")]
    rows = []
    for metric in (*TOGETHER, "linear_batches"):
        found = table[table["metric"] == metric].set_index("embedding")["value"]
        own = predicted[predicted["combination"].isin(found.index)]
        if len(own) < _FEWEST:
            continue
        values = found.loc[own["combination"]].to_numpy(float)
        for predictor, sign in (("after", 1.0), ("moved", -1.0)):
            correlation = _spearman(sign * own[predictor].to_numpy(float), values)
            rows.append([metric, predictor, *correlation, int(np.isfinite(values).sum())])
    if not rows:
        raise StudyError(
            f"{scores} holds fewer than {_FEWEST} of the study's settings: give the scores.csv that "
            "`cellssl study report` wrote for this study."
        )
    return pd.DataFrame(rows, columns=columns)


def _spearman(
    predicted: NDArray[np.float64], found: NDArray[np.float64]
) -> tuple[float, float, float, float]:
    """Give a rank correlation of (S,) settings, its 95 % interval over resampled ones, and a p-value."""
    known = np.isfinite(predicted) & np.isfinite(found)
    predicted, found = predicted[known], found[known]
    if min(len(set(predicted)), len(set(found))) < 2:
        return (np.nan,) * 4
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(_DRAWS):
        rows = rng.integers(0, len(found), len(found))
        if len(set(predicted[rows])) > 1 and len(set(found[rows])) > 1:
            draws.append(spearmanr(predicted[rows], found[rows]).statistic)
    low, high = np.quantile(draws, [0.025, 0.975])
    chance = permutation_test(
        (found,),
        lambda order: spearmanr(predicted, order).statistic,
        permutation_type="pairings",
        random_state=0,
    )
    return float(chance.statistic), float(low), float(high), float(chance.pvalue)

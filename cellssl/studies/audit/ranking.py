"""The settings of a study ranked before any is trained, and held against what training showed."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from cellssl.crops import Crops
from cellssl.files import make_folder, write_csv
from cellssl.phenotypes import require_label
from cellssl.progress import track
from cellssl.studies.audit.agreement import COLUMNS, agreement
from cellssl.studies.audit.cases import cases_of
from cellssl.studies.audit.cells import open_cells
from cellssl.studies.audit.references import reference_named
from cellssl.studies.audit.separation import Matrix, put_right, share_lost
from cellssl.studies.audit.standing import Moved, Standing
from cellssl.studies.planning import plan_runs
from cellssl.studies.study import Study
from cellssl.words import counted


@dataclass(frozen=True)
class Ranking:
    """What an audit expects of a study's settings.

    Attributes
    ----------
    settings : DataFrame
        combination, the best outlook first, and

        - before and after: how often a cell is put right between two classes, in the reference, from
          the cells as they are and from what the whole view leaves;
        - after_as_read: likewise, from what it leaves to the readout that told them before;
        - cost and cost_as_read: share of the visible contrast that is lost, likewise;
        - moved: how far the view moves cells, in units of the root mean square distance of two cells.
    classes : DataFrame
        combination, class, before, after, after_as_read and moved as above, of the class: between it
        and each of the others, and how far its own cells are moved.
    pairs : DataFrame
        setting_a, setting_b, better, after (of two encoders side by side, or two heads: each contrast
        counts as that setting keeps it that keeps it better), gain (over the better of the two alone)
        and moved (how unlike far they move cells), the greatest gain first. Held against training, this
        order was right in part on cells, and wrong on photographs (protocols/studies/results/README.md).
    agreement : DataFrame
        metric, of, predictor, spearman, low, high, p_value, settings, classes: rank correlation with
        the scores of the trained encoders. Empty before training; NaN where all are predicted, or
        scored, alike. *predictor* is one of

        - ``after``, ``after_as_read`` (not of pairs);
        - ``moved``: amplitude alone; less is taken to be better, and of pairs to be moved unlike far;
        - ``ahead``: by how much ``after`` correlates better than ``moved``;
        - ``as_read_ahead``: by how much ``after_as_read`` does than ``after``.

        *of* is what was scored:

        - ``settings``: a score of each;
        - ``classes``: how far the accuracy of each class lies from its mean over the settings;
        - ``classes beyond settings``: that, less what all classes of the setting gain or lose together;
        - ``pairs``: what two gain over the better of them.

        The 95 % intervals resample settings and classes, and say too much of few: of four settings in
        the right order every draw is. *p_value* is twice the share of all orders of the settings that
        correlate as well (of 9,999 drawn ones from eight settings on). Settings that share operations
        are no independent ones, so that it is a lower bound.
    """

    settings: pd.DataFrame
    classes: pd.DataFrame
    pairs: pd.DataFrame
    agreement: pd.DataFrame

    def __repr__(self) -> str:
        first = self.settings["combination"].iloc[0]
        return f"Ranking({counted(len(self.settings), 'setting')}, the first {first})"

    def save(self, folder: str | Path) -> Path:
        """Write the tables into a folder."""
        folder = make_folder(folder)
        tables = {
            "predicted": self.settings,
            "predicted_classes": self.classes,
            "predicted_pairs": self.pairs,
            "agreement": self.agreement,
        }
        for name, table in tables.items():
            write_csv(table, folder / f"{name}.csv")
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
        The study's ``scores.csv``, to hold the order against; classes are compared where its
        ``per_class.csv`` lies beside it, pairs where its ``complement.csv`` does.
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
    rows, classes, kept = [], [], {}
    for run in track(runs, f"audit {study.name}", shown=progress):
        sample, column = open_cells(
            run.protocol, crops, label=label, cells=cells, where=study.where
        )
        known = reference_named(reference, sample.channels, weights=weights, seed=seed)
        views = cases_of(run.protocol, sample.channels, crops.mask_names, ())
        features = sample.unchanged(views[0].views[0], [known])[known.name]
        standing = Standing(known, features, sample.obs, label=column, nuisances={})
        moves = [
            standing.moved(sample.moved(view, [known], draws=draws, seed=seed)[known.name])
            for view in views
        ]
        # Of several groups of views, the one that separates two classes best: (K, K).
        after = [standing.separations(moved) for moved in moves]
        read = [standing.pairs * standing.left_as_read(moved) for moved in moves]
        best, as_read = np.max(after, axis=0), np.max(np.minimum(read, after), axis=0)
        kept[run.combination] = best
        rows.append({"combination": run.combination, **_outlook(standing, moves, best, as_read)})
        classes.append(_classes(run.combination, standing, moves, best, as_read))
    table = pd.DataFrame(rows)
    pairs = _pairs(kept, table.set_index("combination"))
    table = table.sort_values("after", ascending=False, kind="stable", ignore_index=True)
    each = pd.concat(classes, ignore_index=True)
    nothing = pd.DataFrame(columns=list(COLUMNS))
    found = nothing if scores is None else agreement(table, each, pairs, scores)
    return Ranking(table, each, pairs, found)


def _outlook(
    standing: Standing, moves: list[Moved], kept: Matrix, as_read: Matrix
) -> dict[str, float]:
    """Say how well classes are told before the views and after them, and how far these move cells."""
    return {
        "before": put_right(standing.pairs),
        "after": put_right(kept),
        "after_as_read": put_right(as_read),
        "cost": share_lost(standing.pairs, kept, standing.least),
        "cost_as_read": share_lost(standing.pairs, as_read, standing.least),
        "moved": min(moved.distance for moved in moves) / standing.spread(),
    }


def _classes(
    combination: str, standing: Standing, moves: list[Moved], kept: Matrix, as_read: Matrix
) -> pd.DataFrame:
    """Say the same of each class, against each of the others."""
    names = standing.groups.names
    others = ~np.eye(len(names), dtype=bool)
    apart = {"before": standing.pairs, "after": kept, "after_as_read": as_read}
    told = {when: norm.cdf(pairs / 2).mean(axis=1, where=others) for when, pairs in apart.items()}
    moved = np.min([one.distances for one in moves], axis=0) / standing.spread()
    return pd.DataFrame({"combination": combination, "class": names, **told, "moved": moved})


def _pairs(kept: Mapping[str, Matrix], alone: pd.DataFrame) -> pd.DataFrame:
    """Say what every two settings tell together, beside what is said of each alone."""
    told, moved = alone["after"], alone["moved"]
    rows = []
    for a, b in combinations(kept, 2):
        after = put_right(np.maximum(kept[a], kept[b]))
        better = max(a, b, key=lambda name: told[name])
        rows.append([a, b, better, after, after - told[better], abs(moved[a] - moved[b])])
    columns = ["setting_a", "setting_b", "better", "after", "gain", "moved"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values("gain", ascending=False, kind="stable", ignore_index=True)

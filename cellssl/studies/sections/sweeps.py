"""Scores and classes over the values of a sweep."""

from collections.abc import Mapping

import pandas as pd

from cellssl.files import safe_name
from cellssl.phenotypes import seed_means
from cellssl.phenotypes.evaluation.metrics import TOGETHER
from cellssl.report import class_sweep_figure, sweep_figure
from cellssl.report.page import Picture, Section
from cellssl.studies.outcome import Outcome
from cellssl.studies.study import Study, Sweep


def sweeps_section(study: Study, outcome: Outcome) -> Section | None:
    """Draw scores, and the accuracy of each class, over the values of each sweep.

    None where no sweep has an order, or fewer than two of its values are there.
    """
    blocks = []
    means = outcome.means[outcome.means["subset"] == "all"]
    for axis, settings in study.axes.items():
        if not isinstance(settings, Sweep) or axis not in means or means[axis].nunique() < 2:
            continue
        positions = settings.positions
        if positions is None:
            continue
        own = means[means[axis].notna()].copy()
        own["series"] = _series(own, [name for name in study.axes if name != axis], study.name)
        own[axis] = own[axis].map(positions)
        figure = sweep_figure(
            own, axis, metrics=[m for m in TOGETHER if (own["metric"] == m).any()]
        )
        caption = f"Scores over {settings.sweep}; shaded: 95 % intervals."
        blocks.append(Picture(figure, caption, caption, name=f"sweep-{safe_name(axis)}"))
        figure = class_sweep_figure(_class_curves(outcome, axis, positions), axis)
        caption = f"Accuracy of each class over {settings.sweep}, the mean over all other settings."
        blocks.append(Picture(figure, caption, caption, name=f"sweep-{safe_name(axis)}-classes"))
    return Section("sweeps", "Sweeps", "How much is too much", blocks) if blocks else None


def _series(table: pd.DataFrame, others: list[str], name: str) -> "pd.Series[str] | str":
    """Name a line by the settings of the other axes."""
    if not others:
        return name
    return table[others].apply(lambda row: ", ".join(f"{n} {row[n]}" for n in others), axis=1)


def _class_curves(outcome: Outcome, axis: str, positions: Mapping[str, float]) -> pd.DataFrame:
    """Average each class's accuracy over all other settings: classifier, class, axis, accuracy."""
    settings = outcome.scores.drop_duplicates("embedding").set_index("embedding")[axis]
    per_class = seed_means(outcome.measured.per_class)
    own = per_class[per_class["subset"] == "all"]
    own = own.assign(**{axis: own["embedding"].map(settings).map(positions)}).dropna(subset=[axis])
    groups = own.groupby(["classifier", "class", axis], observed=True)
    return groups[["accuracy"]].mean().reset_index()

"""The course of a training: whether it converged, and whether the encoder stayed alive."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cellssl.errors import TrainingError
from cellssl.report.figures.style import OKABE_ITO, literal, new_figure, styled

_SPREADS = {
    "effective_rank": "effective rank of the features",
    "feature_std": "spread of the features",
}


@styled
def training_curve(metrics: str | Path | pd.DataFrame) -> Figure:
    """Draw the loss and the spread of the features over the epochs.

    Parameters
    ----------
    metrics : a run folder, its ``metrics.csv``, or the table in it: columns epoch or step, loss and, where
        there, the effective rank or the standard deviation of the features

    Raises
    ------
    TrainingError
        When the file is missing or has no loss.
    """
    table = _read(metrics)
    across = "epoch" if "epoch" in table and len(set(table["epoch"])) > 1 else "step"
    x = table[across] if across in table else pd.Series(range(len(table)))
    if across == "epoch" and table["epoch"].duplicated().any() and "step" in table:
        across, x = "step", table["step"]
    spread = next((name for name in _SPREADS if name in table and table[name].notna().any()), None)
    figure = new_figure(8.6 if spread else 5.6, 3.0)
    panels = figure.subplots(1, 2 if spread else 1, squeeze=False)[0]
    curves = [("loss", "loss (lower = views of one cell found more easily)")]
    if spread:
        curves.append((spread, _SPREADS[spread]))
    for i, (axes, (column, name)) in enumerate(zip(panels, curves, strict=True)):
        there = table[column].notna()
        marker = "o" if len(table) < 40 else ""
        look = {"color": OKABE_ITO[i], "marker": marker, "lw": 1.6, "ms": 3.5}
        axes.plot(x[there], table.loc[there, column], **look)
        axes.set_xlabel(across)
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))  # there is no epoch 1.2
        axes.set_title(literal(name), fontsize=9)
        axes.grid(visible=True)
        if column != "loss":
            axes.set_ylim(0, 1.05 * table.loc[there, column].max() or None)
    return figure


def _read(metrics: str | Path | pd.DataFrame) -> pd.DataFrame:
    if isinstance(metrics, pd.DataFrame):
        table = metrics
    else:
        metrics = Path(metrics)
        try:
            table = pd.read_csv(metrics / "metrics.csv" if metrics.is_dir() else metrics)
        except (OSError, pd.errors.EmptyDataError, pd.errors.ParserError) as error:
            raise TrainingError(f"cannot read the training's metrics {metrics}: {error}") from error
    if "loss" not in table or table.empty:
        raise TrainingError(
            f"no losses in the training's metrics; columns are {', '.join(map(str, table.columns))}"
        )
    return table

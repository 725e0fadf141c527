"""The curves of a run: CSV files, one row per so many steps, and TensorBoard where it is installed."""

import csv
import importlib.util
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from cellssl.files import atomic

COLUMNS = (
    "epoch",
    "step",
    "loss",
    "lr",
    "seconds",
    "images_per_second",
    "feature_std",
    "effective_rank",
    "alignment",
    "uniformity",
    "online_accuracy",
)


class MetricsFile:
    """Appends rows to a CSV; after an interruption, forgets those that will be made again.

    Columns of ``metrics.csv``: `epoch` from 1 and `step`, steps made so far; `loss`, mean since the
    row before; `lr` of the last step; `seconds` of training so far, over all parts of an
    interrupted run; `images_per_second`, augmented images (two per cell, more with multi-crop) since
    the row before; at the end of an epoch only `feature_std`, `effective_rank`, `alignment`,
    `uniformity` of the last batch (see `cellssl.training`), and `online_accuracy`, the balanced
    accuracy of the online classifier over the epoch's first views, where it was given labels. Where
    groups of views have stages of their own, the features of all five are the first group's.

    Parameters
    ----------
    path : Path
        The CSV.
    step : int
        Rows after this step are removed; 0 starts anew.
    columns : sequence of str
        Names, "step" among them.
    """

    def __init__(self, path: Path, *, step: int, columns: Sequence[str] = COLUMNS) -> None:
        self.path, self.columns = path, tuple(columns)
        place = self.columns.index("step")
        kept = [row for row in self._read() if row[place].isdigit() and int(row[place]) <= step]
        with atomic(path) as part, part.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([self.columns, *kept])

    def _read(self) -> list[list[str]]:
        """Rows that were written whole: a killed process may leave half a line."""
        if not self.path.exists():
            return []
        lines = self.path.read_text().splitlines(keepends=True)[1:]
        rows = list(csv.reader(line for line in lines if line.endswith("\n")))
        return [row for row in rows if len(row) == len(self.columns)]

    def append(self, *rows: Mapping[str, float | int | str]) -> None:
        """Write rows; what is missing or not a number stays empty."""
        with self.path.open("a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(
                [_text(row.get(name)) for name in self.columns] for row in rows
            )


class TensorBoard:
    """Shows the same numbers in TensorBoard, where that is installed; else does nothing.

    Parameters
    ----------
    folder : Path
        The run folder, which ``tensorboard --logdir`` is then given.
    step : int
        What was shown after this step is shown anew.
    """

    def __init__(self, folder: Path, *, step: int) -> None:
        self._writer = None
        if importlib.util.find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(folder, purge_step=step + 1)

    def append(self, row: Mapping[str, float | int]) -> None:
        """Show a row of ``metrics.csv``."""
        if self._writer is None:
            return
        for name, value in row.items():
            if name not in ("epoch", "step") and not math.isnan(value):
                self._writer.add_scalar(name, value, int(row["step"]))

    def close(self) -> None:
        """Write what is still in memory."""
        if self._writer is not None:
            self._writer.close()


def _text(value: float | str | None) -> str:
    """Write whole numbers and words plainly, others with the nine digits that tell float32s apart."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.9g}" if isinstance(value, float) else str(value)

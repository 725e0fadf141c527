"""metrics.csv: the curve of a run, one row per so many steps."""

import csv
import math
from pathlib import Path

__all__ = ["COLUMNS", "MetricsFile"]

COLUMNS = (
    "epoch",
    "step",
    "loss",
    "lr",
    "seconds",
    "images_per_second",
    "feature_std",
    "effective_rank",
)


class MetricsFile:
    """Appends rows to a CSV; after an interruption, forgets those that will be made again.

    Columns: `epoch` from 1 and `step`, steps made so far; `loss`, mean since the row before; `lr`
    of the last step; `seconds` of training so far, over all parts of an interrupted run;
    `images_per_second`, augmented images (two per cell) through the encoder since the row before;
    `feature_std` and `effective_rank` at the end of an epoch only.

    Parameters
    ----------
    path : Path
        The CSV.
    step : int
        Rows after this step are removed; 0 starts anew.
    """

    def __init__(self, path: Path, *, step: int) -> None:
        self.path = path
        kept = [row for row in self._read() if int(row[1]) <= step]
        with path.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *kept])

    def _read(self) -> list[list[str]]:
        """Rows that were written whole: a killed process may leave half a line."""
        if not self.path.exists():
            return []
        lines = self.path.read_text().splitlines(keepends=True)[1:]
        rows = list(csv.reader(line for line in lines if line.endswith("\n")))
        return [row for row in rows if len(row) == len(COLUMNS) and row[1].isdigit()]

    def append(self, row: dict[str, float | int]) -> None:
        """Write one row; what is missing or not a number stays empty."""
        with self.path.open("a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(
                [_text(row.get(name)) for name in COLUMNS]
            )


def _text(value: float | None) -> str:
    """Write whole numbers plainly, others with the nine digits that tell float32s apart."""
    if value is None or math.isnan(value):
        return ""
    return str(value) if isinstance(value, int) else f"{value:.9g}"

"""What became of every cell and every field."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cellssl.errors import CropError
from cellssl.words import counted

__all__ = ["CropReport"]


@dataclass(frozen=True)
class CropReport:
    """The outcome of cropping: found = kept + all that was dropped.

    Attributes
    ----------
    crops, table : Path
        ``crops.h5ad`` and ``fields.csv``.
    fields : DataFrame
        The table: a row per field with ``found``, ``kept``, ``dropped_<reason>``, ``seconds`` and
        ``Problem`` ("" if none).
    """

    crops: Path
    table: Path
    fields: pd.DataFrame

    @classmethod
    def read(cls, crops: Path, table: Path) -> "CropReport":
        """Read the outcome of a finished run."""
        fields = pd.read_csv(table, keep_default_na=False, na_values={"Problem": []})
        for name in fields:
            if not str(name).startswith("Metadata_") and name != "Problem":
                fields[name] = pd.to_numeric(fields[name])
        return cls(crops, table, fields)

    @property
    def found(self) -> int:
        """Nuclei found on the readable fields."""
        return int(self.fields["found"].sum())

    @property
    def kept(self) -> int:
        """Cells in the crop file."""
        return int(self.fields["kept"].sum())

    @property
    def dropped(self) -> dict[str, int]:
        """Cells left out, by reason."""
        columns = [name for name in self.fields if str(name).startswith("dropped_")]
        return {str(n).removeprefix("dropped_"): int(self.fields[n].sum()) for n in columns}

    @property
    def problems(self) -> pd.DataFrame:
        """The fields that were left out, with their reason."""
        return self.fields[self.fields["Problem"] != ""]

    @property
    def empty(self) -> int:
        """Readable fields without any nucleus."""
        return int(((self.fields["found"] == 0) & (self.fields["Problem"] == "")).sum())

    def require_cells(self) -> None:
        """Make sure that there is a cell to go on with.

        Raises
        ------
        CropError
            When none was kept; says what most likely is to be mended.
        """
        if self.kept:
            return
        if len(self.problems) == len(self.fields):
            why = f"no field could be used, such as: {self.problems['Problem'].iloc[0].rstrip('.')}"
        elif not self.found:
            why = (
                "no nucleus was found: does --nucleus name the channel that shows them, and do they "
                "stand out from the background? --diameter helps where they are very small or large"
            )
        else:
            worst = max(self.dropped, key=lambda reason: self.dropped[reason])
            mend = "take a smaller --size" if worst == "border" else f"--keep {worst} keeps such"
            why = (
                f"of {self.found:,} found, {self.dropped[worst]:,} were dropped as {worst}: {mend}"
            )
        raise CropError(f"no cell was kept; {why}. {self.table} says why, field by field.")

    def summary(self) -> str:
        """Say in a line what there is."""
        readable = len(self.fields) - len(self.problems)
        lost = {reason: number for reason, number in self.dropped.items() if number}
        dropped = ", ".join(f"{n:,} {reason.replace('_', ' ')}" for reason, n in lost.items())
        parts = [
            f"{self.found:,} cells found on {counted(readable, 'field')}, {self.kept:,} kept",
            f"dropped: {dropped or 'none'}",
        ]
        if self.empty:
            parts.append(f"{counted(self.empty, 'field')} without cells")
        if len(self.problems):
            parts.append(f"{counted(len(self.problems), 'field')} left out (see {self.table.name})")
        return "; ".join(parts)

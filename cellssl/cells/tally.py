"""What became of every cell and every field."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from cellssl.cells.folder import CropFolder
from cellssl.columns import PLATE, WELL, row_names
from cellssl.errors import CropError
from cellssl.lost_cells import wells_that_lost_cells
from cellssl.plates.vocabulary import NAMES
from cellssl.words import counted, listed

_LOG = logging.getLogger(__name__)
_SAID = 10  # plates are named one by one up to so many


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
    remarks : tuple of str
        What is unusual about the images, for which no cell was dropped.
    """

    crops: Path
    table: Path
    fields: pd.DataFrame
    remarks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"CropReport({self.crops}: {self.summary()})"

    @classmethod
    def read(cls, folder: CropFolder) -> "CropReport":
        """Read the outcome of a finished run; plates 001, 1 and 1.0 stay three, and a compound NA one."""
        fields = pd.read_csv(
            folder.fields,
            dtype=dict.fromkeys(NAMES, str),
            keep_default_na=False,
            na_values={"Problem": []},
        )
        for name in fields:
            if not str(name).startswith("Metadata_") and name != "Problem":
                fields[name] = pd.to_numeric(fields[name])
        return cls(folder.crops, folder.fields, fields, folder.read_remarks())

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
        if not self.kept:
            raise CropError(
                f"no cell was kept; {self._why()}. {self.table} says why, field by field."
            )

    def say_lost_plates(self) -> None:
        """Warn of plates without a cell in the crop file, where others have some."""
        plates = self.fields.groupby(self.fields[PLATE].astype(str), sort=False)
        reports = {str(plate): replace(self, fields=fields) for plate, fields in plates}
        lost = [plate for plate in reports if self.kept and not reports[plate].kept]
        for plate in lost[:_SAID]:
            _LOG.warning(
                "plate %s: no cell was kept; %s. Images of another kind than the other plates' "
                "(magnification, pixel type) want to be indexed and cropped by themselves",
                plate,
                reports[plate]._why(),
            )
        if len(lost) > _SAID:
            _LOG.warning(
                "and %d more plates without a cell: see %s", len(lost) - _SAID, self.table.name
            )

    def say_lost_wells(self) -> None:
        """Warn of wells of which quality control took all or most cells, where their plate has some left.

        So are wells told of which no field could be used.
        """
        left = self.fields[self.fields.groupby(PLATE)["kept"].transform("sum") > 0]
        failed = (left["Problem"] != "").groupby([left[PLATE], left[WELL]]).all()
        unused = row_names(failed.index[failed].to_frame())
        if unused:
            _LOG.warning(
                "no field of %s could be used (%s): see %s",
                counted(len(unused), "well"),
                listed(unused, most=_SAID),
                self.table.name,
            )
        for said in wells_that_lost_cells(left):
            _LOG.warning("%s", said)

    def say_narrow_fields(self) -> None:
        """Warn where most cells lie too near the edge of their field for crops of this size."""
        cut = self.dropped.get("border", 0)
        if self.kept and cut > self.found / 2:
            _LOG.warning(
                "%d of %d cells lie so near the edge of their field that a crop would leave it, and are dropped: a "
                "smaller --size keeps more",
                cut,
                self.found,
            )

    def _why(self) -> str:
        """Say why no cell was kept, and what most likely is to be mended."""
        if len(self.problems) == len(self.fields):
            return (
                f"no field could be used, such as: {self.problems['Problem'].iloc[0].rstrip('.')}"
            )
        if not self.found:
            return (
                "no nucleus was found: does --nucleus name the channel that shows them, and do they "
                "stand out from the background? --diameter helps where they are very small or large"
            )
        worst = max(self.dropped, key=lambda reason: self.dropped[reason])
        mend = "take a smaller --size" if worst == "border" else f"--keep {worst} keeps such"
        return f"of {self.found:,} found, {self.dropped[worst]:,} were dropped as {worst}: {mend}"

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

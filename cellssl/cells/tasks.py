"""The tasks of a plate's fields, each made when it is asked for: all of a screen's are worth memory."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, overload

import numpy as np
import pandas as pd

from cellssl.cells.job import Job, Task
from cellssl.columns import PLATE

_BLOCK = 256  # rows that are in memory as mappings
_NAME = "S28"


@dataclass(frozen=True)
class Tasks(Sequence[Task]):
    """The tasks of F fields; one for a number, fewer of them for a slice or several numbers.

    Attributes
    ----------
    job : Job
        What is done to each.
    fields : DataFrame
        F rows of an index.
    folder : Path
        Of the parts.
    names : ndarray
        (F,) bytes, the parts' names: taken once, since files may change meanwhile.
    maps : mapping
        Plate → its illumination, where there is one.
    """

    job: Job
    fields: pd.DataFrame
    folder: Path
    names: np.ndarray
    maps: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, job: Job, fields: pd.DataFrame, folder: Path) -> Self:
        """Look at the files of all fields, and name their parts."""
        names = (job.part_name(row).encode() for row in _rows_of(fields))
        return cls(job, fields, folder, np.fromiter(names, _NAME, len(fields)))

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, which: int) -> Task: ...
    @overload
    def __getitem__(self, which: slice | np.ndarray) -> "Tasks": ...
    def __getitem__(self, which: int | slice | np.ndarray) -> "Task | Tasks":
        if isinstance(which, slice | np.ndarray):
            return replace(self, fields=self.fields.iloc[which], names=self.names[which])
        part = self.part(which)
        row = {str(name): value for name, value in self.fields.iloc[which].to_dict().items()}
        return self.job.task(row, part, self.maps.get(str(row[PLATE])))

    @property
    def plates(self) -> list[str]:
        """The plate of each field."""
        return self.fields[PLATE].astype(str).tolist()

    def by_plate(self, numbers: Iterable[int]) -> dict[str, list[int]]:
        """Put the numbers of some fields to their plates, which stand in the order in which they appear."""
        plates, found = self.plates, dict[str, list[int]]()
        for number in numbers:
            found.setdefault(plates[number], []).append(number)
        return found

    @property
    def parts(self) -> Iterator[Path]:
        """Where each field lies when it is finished."""
        return map(self.part, range(len(self)))

    def part(self, number: int) -> Path:
        """Give where a field lies when it is finished."""
        return self.folder / self.names[number].decode()

    def lit(self, maps: Mapping[str, np.ndarray]) -> Self:
        """Give the tasks of the same fields under their plates' illumination: other parts."""
        light = {plate: flat.tobytes() for plate, flat in maps.items()}
        names = [
            hashlib.sha256(name + light[plate]).hexdigest()[:24] + ".npz"
            if plate in light
            else name
            for name, plate in zip(self.names, self.plates, strict=True)
        ]
        return replace(self, names=np.array(names, _NAME), maps=maps)

    def fingerprint(self) -> str:
        """Hash the fields, their metadata and files: when one changes, the crops are made anew."""
        digest = hashlib.sha256(self.names.tobytes())
        for first in range(0, len(self), _BLOCK):
            block = self.fields.iloc[first : first + _BLOCK]
            digest.update(block.to_csv(index=False).encode())
        return digest.hexdigest()


def _rows_of(fields: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Give the rows of an index one after the other, as mappings."""
    for first in range(0, len(fields), _BLOCK):
        for row in fields.iloc[first : first + _BLOCK].to_dict("records"):
            yield {str(name): value for name, value in row.items()}

"""The table of a plate's fields: what every later step starts from."""

import logging
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cellssl.arguments import one_path
from cellssl.columns import FIELD, OF_CELLS, PLATE, SITE, WELL, bare_name
from cellssl.errors import PlateError
from cellssl.files import atomic, make_folder, write_csv
from cellssl.plates.addresses import files_of
from cellssl.plates.spreadsheets import read_spreadsheet
from cellssl.plates.tables import as_numbers, as_site
from cellssl.plates.vocabulary import NAMES, told_once
from cellssl.treatments import recognise_treatments, say_doubts
from cellssl.wells import well_or_name
from cellssl.words import counted

_LOG = logging.getLogger(__name__)

PROBLEM_COLUMNS = [*FIELD, "Problem", "Detail"]
_LISTS_IMAGES = re.compile(r"(?:Image_)?(?:FileName|URL)_.+", re.IGNORECASE)


@dataclass(frozen=True)
class PlateIndex:
    """The complete fields of one or more plates, and all that was wrong with the others.

    Attributes
    ----------
    fields
        One row per complete field, sorted by plate, well and site: ``Metadata_Plate``,
        ``Metadata_Well`` (`A01`), ``Metadata_Site``, ``Metadata_Control`` (``negative``,
        ``positive`` or empty), what else is known as ``Metadata_*``, and a ``Path_<channel>`` each: a
        path, or the address of a page, plane or projection (see `cellssl.plates.addresses`).
    channels
        Names of the channels, in the order in which fields are read.
    problems
        ``Metadata_Plate``, ``Metadata_Well``, ``Metadata_Site``, ``Problem``, ``Detail``. Problems:
        ``incomplete`` (a channel is missing) and ``duplicate`` (two files for one channel), both
        left out of `fields`; ``no metadata`` (kept); ``no grey plane`` and ``unlike channels`` (of the
        first field, which is looked into; kept); ``unmatched`` (no image of the plate).
    absent
        Fields (or wells) that the metadata list while none of their files is there.
    notes
        How the plate was read: its layout and why, what was left out or taken for granted.

    Raises
    ------
    PlateError
        When a column is called as each cell's own number or place, which would replace it.
    """

    fields: pd.DataFrame
    channels: tuple[str, ...]
    problems: pd.DataFrame
    absent: int = 0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Keep the user's columns from being replaced."""
        own = {name.lower(): bare_name(name) for name in OF_CELLS}
        for name in map(str, self.fields):
            # Columns are found whatever their capitals: of two, either might be meant.
            if bare := own.get(name.lower()):
                raise PlateError(
                    f"the metadata have a column {bare_name(name)}, and the number or place of each cell is "
                    f"called {bare}: give it another name, such as "
                    f"{'Class' if bare == 'Label' else f'Field_{bare}'}."
                )

    def __repr__(self) -> str:
        return f"PlateIndex({self.summary()})"

    def summary(self) -> str:
        """Say in a line what there is: `96 fields on 1 plate, 2 channels (GFP, DNA); …`."""
        kinds = {"incomplete": 0, **self.problems["Problem"].value_counts().sort_index()}
        plates = self.fields[PLATE].nunique()
        parts = [
            f"{counted(len(self.fields), 'field')} on {counted(plates, 'plate')}, "
            f"{counted(len(self.channels), 'channel')} ({', '.join(self.channels)})",
            *(f"{count:,} {kind}" for kind, count in kinds.items()),
            f"{self.absent:,} absent",
        ]
        return "; ".join(parts)

    def save(self, path: str | Path) -> Path:
        """Write the fields to `path` (.csv or .parquet) and the problems beside it.

        The folder is made where need be. The problems go to ``<stem>.problems.csv``, whose last rows
        hold the number of absent fields, where there are any, and the notes.
        """
        path = Path(path)
        said = [("absent", str(self.absent))] if self.absent else []
        said += [("note", note) for note in self.notes]
        rows = pd.DataFrame(said, columns=["Problem", "Detail"])
        problems = pd.concat([self.problems, rows.reindex(columns=PROBLEM_COLUMNS, fill_value="")])
        _check_suffix(path)
        make_folder(path.absolute().parent)
        try:
            if path.suffix == ".csv":
                write_csv(self.fields, path)
            else:
                with atomic(path) as part:
                    self.fields.to_parquet(part, index=False)
            write_csv(problems, _problems_path(path))
        except OSError as error:
            raise PlateError(f"cannot write {path}: {error.strerror or error}.") from error
        return path

    @classmethod
    def load(cls, path: str | Path) -> "PlateIndex":
        """Read an index that was saved, or a table of one's own with the same columns.

        Wells and sites get their one spelling (`A01`, `1`); what is no well keeps its name, a slide
        say. Paths that are not whole begin in the table's folder, or else in the working directory; rows
        without a path for every channel are incomplete.

        Raises
        ------
        PlateError
            When the file is missing, or lacks ``Metadata_Plate``, ``Metadata_Well`` or any
            ``Path_<channel>``.
        """
        path = one_path(path, "an index of plates, or the path of its table", error=PlateError)
        if path.is_dir():
            raise PlateError(f"{path} is a folder: make an index of it first, by `cellssl.index`.")
        _check_suffix(path)
        if not path.is_file():
            raise PlateError(f"there is no index at {path}; make one with `cellssl plates index`.")
        fields = _read(path)
        if not _problems_path(path).is_file():  # of an index that was made here it was said then
            say_doubts(fields)
        channels = tuple(
            name.removeprefix("Path_") for name in fields.columns if name.startswith("Path_")
        )
        lacking = [name for name in FIELD if name not in fields]
        if lacking or not channels:
            raise PlateError(
                f"{path} is not an index of fields: it lacks "
                f"{', '.join(lacking) or 'a Path_<channel> column'}.{_hint_for_cellprofiler(fields, path)}"
            )
        fields = fields.assign(
            Metadata_Well=fields[WELL].map(well_or_name),
            Metadata_Site=fields[SITE].map(as_site),
        )
        problems, absent, notes = _read_problems(_problems_path(path))
        paths = [f"Path_{channel}" for channel in channels]
        fields[paths] = fields[paths].fillna("").map(lambda text: _whole(str(text), path.parent))
        lacks = fields[paths] == ""
        if lacks.any(axis=None):
            problems = pd.concat([problems, _incomplete(fields, lacks)], ignore_index=True)
            fields = fields[~lacks.any(axis=1)].reset_index(drop=True)
        return cls(fields, channels, problems, absent, notes)


def _hint_for_cellprofiler(table: pd.DataFrame, path: Path) -> str:
    """Say how a table is given that lists images as CellProfiler's LoadData does."""
    if not any(_LISTS_IMAGES.fullmatch(str(name)) for name in table):
        return ""
    return (
        " It lists images for CellProfiler's LoadData: give the folder of the images in its place, and the "
        f"table by --metadata {path}."
    )


def _check_suffix(path: Path) -> None:
    if path.suffix not in {".csv", ".parquet"}:
        raise PlateError(f"an index is a .csv or a .parquet file, not {path.name!r}.")


def _problems_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}.problems.csv")


def _read(path: Path) -> pd.DataFrame:
    try:
        if path.suffix == ".parquet":
            table = pd.read_parquet(path)  # one's own may hold names as numbers
            table = table.astype({name: str for name in table if name in NAMES})
        else:
            table = as_numbers(told_once(read_spreadsheet(path, empty=True), path))
        return recognise_treatments(table)
    except PlateError:
        raise
    except (OSError, ValueError) as error:  # pandas' and pyarrow's parser errors are ValueErrors
        raise PlateError(f"{path} cannot be read as a table: {error}.") from error


def _whole(address: str, folder: Path) -> str:
    """Make an address whole: as it is found from the folder, else from here."""
    if not address or Path(address).is_absolute():
        return address
    beside = str(folder.resolve() / address)
    if all(file.exists() for file in files_of(beside)):
        return beside
    here = str(Path().resolve() / address)
    return here if all(file.exists() for file in files_of(here)) else beside


def _incomplete(fields: pd.DataFrame, lacks: pd.DataFrame) -> pd.DataFrame:
    """Make the problems of the fields that lack a path; `lacks` says which."""
    rows = []
    keys = fields[FIELD].astype(str).to_dict("records")
    for number, (field, row) in enumerate(zip(keys, lacks.to_numpy(), strict=True), start=1):
        if row.any():
            names = ", ".join(str(name).removeprefix("Path_") for name in lacks.columns[row])
            _LOG.warning("a field is left out: row %d of the index lacks %s", number, names)
            rows.append({**field, "Problem": "incomplete", "Detail": f"lacks {names}"})
    return pd.DataFrame(rows, columns=PROBLEM_COLUMNS, dtype=object)


def _read_problems(path: Path) -> tuple[pd.DataFrame, int, tuple[str, ...]]:
    if not path.is_file():
        _LOG.info("%s is not there: no problems are known of this index", path)
        return pd.DataFrame(columns=PROBLEM_COLUMNS, dtype=object), 0, ()
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    said = {kind: table.loc[table["Problem"] == kind, "Detail"] for kind in ("absent", "note")}
    problems = table[~table["Problem"].isin(said)].reset_index(drop=True)
    return problems, int(said["absent"].astype(int).sum()), tuple(said["note"])

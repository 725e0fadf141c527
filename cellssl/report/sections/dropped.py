"""What was dropped and why: nothing disappears without a word."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from cellssl.columns import FIELD, PLATE, WELL, agent_column, bare_name, texts_of
from cellssl.lost_cells import wells_that_lost_cells
from cellssl.report.figures.plate import control_marks, plate_map, shape_of
from cellssl.report.page import Block, Bullets, Fold, Picture, Row, Section, Table, Text
from cellssl.wells import is_well
from cellssl.words import counted, listed, share

if TYPE_CHECKING:
    from cellssl.plates import PlateIndex


REASONS = {
    "border": "the cell's window reaches beyond the image, so part of the cell is missing",
    "fragment": "the object is too small for a nucleus: debris, or a fragment",
    "large": "the object is too large for a nucleus: debris, or a clump that was not divided",
    "noise": "a channel of the crop holds nothing but noise, where other cells show something",
    "saturated": "the camera was at its end in over a quarter of the crop's middle",
    "blurred": "far less sharp than the plate's other cells",
    "field_saturated": "the camera was at its end in over 5 % of the field",
    "field_debris": "much of what was found in the field is too large to be nuclei",
    "field_focus": "the field is out of focus: its cells are half as sharp as the plate's",
    "field_dark": "a channel of the field has no light, and shows nothing but noise",
    "field_illumination": "the field's background is far from the plate's",
}
PROBLEMS = {
    "incomplete": "a channel's file is missing; the field was left out",
    "duplicate": "two files claim to be the same channel of the same field; the field was left out",
    "unmatched": "the file's name says nothing about plate, well or channel; the file was left out",
    "unlike channels": "the channels of the first field differ in size or kind of pixel; such fields are left out",
    "no grey plane": "the channel's first image is in colour, or of several pages; such fields are left out",
    "no metadata": "the metadata say nothing about the well; its cells were kept without treatment",
}
MOST_PLATES = 4
MOST_ROWS = 50
_BESIDE = 12  # columns of plates that stand side by side


def dropped_section(fields: pd.DataFrame | None, index: "PlateIndex | None") -> Section | None:
    """Build the account of fields and cells: per reason, per well and per field."""
    if fields is None and index is None:
        return None
    blocks: list[Block] = []
    lead = ""
    if fields is not None and not fields.empty:
        lead = _lead(fields)
        blocks += [*_reasons(fields), *_lost(fields), *_maps(fields, index), *_bad_fields(fields)]
    elif fields is not None:
        blocks.append(Text("No field was segmented.", tone="warning"))
    if index is not None:
        blocks += _index_blocks(index)
    return Section("dropped", "Dropped", "What was dropped and why", blocks, lead=lead)


def _dropped(fields: pd.DataFrame) -> dict[str, int]:
    """Sum the reasons: columns ``dropped_<reason>``."""
    names = [str(column) for column in fields if str(column).startswith("dropped_")]
    return {name.removeprefix("dropped_"): int(fields[name].sum()) for name in names}


def _lead(fields: pd.DataFrame) -> str:
    found, kept = int(fields["found"].sum()), int(fields["kept"].sum())
    bad = int((texts_of(fields["Problem"]) != "").sum())
    nuclei = counted(found, "nucleus", "nuclei")
    said = (
        f"{nuclei} found in {counted(len(fields), 'field')}, {kept:,} kept ({share(kept, found)})"
    )
    return said + (f"; {counted(bad, 'field')} could not be used." if bad else ".")


def _reasons(fields: pd.DataFrame) -> list[Block]:
    found, kept = int(fields["found"].sum()), int(fields["kept"].sum())
    reasons = _dropped(fields)
    rows = [["kept", f"{kept:,}", share(kept, found), ""]]
    lost = [(reason, count) for reason, count in reasons.items() if count]
    for reason, count in sorted(lost, key=lambda item: -item[1]):
        name, why = f"dropped: {reason.replace('_', ' ')}", REASONS.get(reason, "")
        rows.append([name, f"{count:,}", share(count, found), why])
    rows.append(["found", f"{found:,}", "", "kept and dropped together"])
    blocks: list[Block] = [
        Table(["cells", "number", "share", "why"], rows, numeric=["number", "share"])
    ]
    missing = found - kept - sum(reasons.values())
    if missing:
        wrong = "missing from" if missing > 0 else "too many in"
        text = f"This account does not add up: {counted(abs(missing), 'cell')} {wrong} it."
        text += " Please report it: every cell should be kept or have a reason."
        blocks.append(Text(text, tone="warning"))
    return blocks


def _lost(fields: pd.DataFrame) -> list[Block]:
    """Name wells that quality control took whole or mostly, and what is in no well that has a cell left."""
    texts = [f"{said}." for said in wells_that_lost_cells(fields)]
    if agent := agent_column(fields):
        kept = fields.groupby(texts_of(fields[agent]))["kept"].sum()
        if gone := [str(name) for name in kept.index[kept == 0] if name]:
            texts.append(f"{bare_name(agent)} of which no cell is left: {listed(gone)}.")
    return [Text(text, tone="warning") for text in texts]


def _maps(fields: pd.DataFrame, index: "PlateIndex | None") -> list[Block]:
    """Draw cells kept and the share dropped, well by well."""
    plates = list(dict.fromkeys(fields[PLATE].astype(str)))
    shape = shape_of(fields[WELL].unique())
    known = pd.DataFrame(columns=[PLATE]) if index is None else index.fields
    blocks: list[Block] = []
    for plate in plates[:MOST_PLATES]:
        own = fields[fields[PLATE].astype(str) == plate]
        own = own[[is_well(well) for well in own[WELL]]]
        if not own.empty:
            wells = own.groupby(WELL)[["found", "kept"]].sum()
            marks = control_marks(known[known[PLATE].astype(str) == plate])
            pictures = _plate_pictures(plate, wells, marks, shape)
            # Side by side, the last columns of larger plates lie beyond the page's edge.
            blocks += [Row(pictures)] if shape[1] <= _BESIDE else pictures
    if len(plates) > MOST_PLATES:
        sums = fields.groupby(fields[PLATE].astype(str))[["found", "kept"]].sum()
        rows = [
            [str(row.Index), f"{row.found:,.0f}", f"{row.kept:,.0f}"] for row in sums.itertuples()
        ]
        table = Table(["plate", "found", "kept"], rows, numeric=["found", "kept"])
        blocks.append(Fold(f"All {len(plates)} plates", [table]))
    return blocks


def _plate_pictures(
    plate: str, wells: pd.DataFrame, marks: dict[str, str], shape: tuple[int, int]
) -> list[Picture]:
    """Draw one plate: scales start at 0, so that small differences stay small."""
    kept = wells["kept"].astype(float)
    top = max(float(kept.max()), 1.0)
    title = f"{plate}: cells kept"
    figure = plate_map(kept, title=title, unit="cells", marks=marks, limits=(0.0, top), shape=shape)
    text = "Cells that went on to the analysis; empty places have no image"
    text += ", and − and + mark control wells." if marks else "."
    pictures = [Picture(figure, text, f"Plate map of cells kept on {plate}")]
    if (wells["kept"] < wells["found"]).any():
        lost = (100 * (1 - kept / wells["found"].where(wells["found"] > 0))).round()
        top = max(float(lost.max()), 25.0)
        title = f"{plate}: share dropped"
        figure = plate_map(lost, title=title, unit="%", limits=(0.0, top), shape=shape)
        text = "Share of the nuclei found that were dropped; × marks wells where none was found."
        pictures.append(
            Picture(figure, text, f"Plate map of the share of cells dropped on {plate}")
        )
    return pictures


def _bad_fields(fields: pd.DataFrame) -> list[Block]:
    bad = fields[texts_of(fields["Problem"]) != ""]
    if bad.empty:
        return [Text("Every field could be read.", tone="aside")]
    caption = "Fields that could not be used"
    caption += f" (the first {MOST_ROWS})" if len(bad) > MOST_ROWS else ""
    return [Table(["field", "problem"], _first_rows(bad, ["Problem"]), caption)]


def _first_rows(table: pd.DataFrame, columns: Sequence[str]) -> list[list[str]]:
    """Name the field of each of the first rows, and give what some columns say of it."""
    texts = table[[*FIELD, *columns]].head(MOST_ROWS).apply(texts_of).to_numpy().tolist()
    return [[" / ".join(filter(None, row[: len(FIELD)])), *row[len(FIELD) :]] for row in texts]


def _index_blocks(index: "PlateIndex") -> list[Block]:
    """Say what was wrong with files before any cell was looked for."""
    blocks: list[Block] = []
    problems = index.problems
    if not problems.empty:
        kinds = problems["Problem"].astype(str).value_counts()
        items = [
            (f"{count:,} {kind}:", PROBLEMS.get(str(kind), "see the table") + ".")
            for kind, count in kinds.items()
        ]
        rows = _first_rows(problems, ["Problem", "Detail"])
        caption = f"The first {MOST_ROWS} of {len(problems):,}" if len(problems) > MOST_ROWS else ""
        blocks += [
            Text("Files and wells:"),
            Bullets(items),
            Fold("Which ones", [Table(["field", "problem", "detail"], rows, caption)]),
        ]
    if index.absent:
        fields = counted(index.absent, "field")
        text = f"The metadata also list {fields} with no image in this folder, which is no error."
        blocks.append(Text(text, tone="aside"))
    if problems.empty and not index.absent:
        blocks.append(Text("All files of the plate were complete.", tone="aside"))
    return blocks

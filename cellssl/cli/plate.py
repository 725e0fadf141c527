"""Commands from files to crops: plates index, crop."""

from pathlib import Path
from typing import Annotated

import typer

from cellssl.cli import options
from cellssl.cli.application import STAGES, app, plates
from cellssl.cli.plate_options import PLATE_GIVEN, Cutting, PlateFiles, Segmentation
from cellssl.cli.shell import command, say, show_table, shown
from cellssl.columns import bare_name, texts_of

Folder = Annotated[Path, options.argument("The plate's folder.", PLATE_GIVEN)]
Plate = Annotated[
    Path, options.argument("The plate's folder, or its saved index (.csv, .parquet).", PLATE_GIVEN)
]


@command(plates, "index")
def index(folder: Folder, files: PlateFiles, out: options.Out = Path("plate.csv")) -> None:
    """List a plate's fields, one row each; draw the plate, and say what is missing or wrong."""
    from rich.console import Console

    from cellssl.plates import plate_maps

    found = files.index(folder)
    path = found.save(out)
    say(plate_maps(found, width=Console().width))
    say(f"channels: {', '.join(found.channels)}")
    if len(found.problems):
        rows = found.problems.head(20).apply(texts_of).to_numpy()
        names = [bare_name(name) for name in found.problems]
        show_table("Problems", names, rows)
        if len(found.problems) > len(rows):
            say(f"and {len(found.problems) - len(rows):,} more in {path.stem}.problems.csv")
    say(f"written to {path}")


@command(app, "crop", panel=STAGES)
def crop(
    plate: Plate,
    out: options.OutFolder,
    files: PlateFiles,
    segmentation: Segmentation,
    cutting: Cutting,
    size: Annotated[int, typer.Option(min=8, help="Side of a crop in pixels.")] = 96,
) -> None:
    """Find the cells of a plate and cut them out: crops.h5ad, fields.csv, dropped.csv."""
    import cellssl.cells

    segmenter = segmentation.build()
    found = files.index(plate)
    report = cellssl.cells.crop(
        found,
        out,
        segmenter=segmenter,
        size=size,
        **cutting.arguments(segmenter),
        progress=shown(),
    )
    say(report.summary())
    report.require_cells()
    say(f"written to {report.crops}")

"""Commands from files to crops: plates index, crop, crops import, crops images."""

from pathlib import Path
from typing import Annotated

import typer

from cellssl.cli.application import app, crops, plates
from cellssl.cli.options import Out, PlateFiles, Segmentation, Workers
from cellssl.cli.shell import command, parse_pairs, say, show_table, shown

Folder = Annotated[Path, typer.Argument(help="The plate's folder.", show_default=False)]
Plate = Annotated[
    Path,
    typer.Argument(
        help="The plate's folder, or its saved index (.csv, .parquet).", show_default=False
    ),
]


@command(plates, "index")
def index(folder: Folder, files: PlateFiles, out: Out = Path("plate.csv")) -> None:
    """List a plate's fields: one row per field, one path per channel."""
    found = files.index(folder)
    path = found.save(out)
    if len(found.problems):
        rows = found.problems.astype(str).head(20).to_numpy().tolist()
        show_table(
            "Problems", [str(name).removeprefix("Metadata_") for name in found.problems], rows
        )
    say(f"written to {path}")


@command(app, "crop")
def crop(
    plate: Plate,
    out: Out,
    files: PlateFiles,
    segmentation: Segmentation,
    size: Annotated[int, typer.Option(min=8, help="Side of a crop in pixels.")] = 96,
    workers: Workers = 1,
) -> None:
    """Find the cells of a plate and cut them out: crops.h5ad and fields.csv."""
    import cellssl.cells

    segmenter = segmentation.build()
    found = files.index(plate)
    report = cellssl.cells.crop(
        found,
        out,
        segmenter=segmenter,
        size=size,
        workers=workers,
        progress=shown(),
    )
    say(report.summary())
    say(f"written to {report.crops}")


@command(crops, "import")
def import_crops(
    pixels: Annotated[
        Path, typer.Argument(help="Crops as .h5 or .npy: (N, C, H, W).", show_default=False)
    ],
    table: Annotated[
        Path, typer.Argument(help="CSV, a row per crop in the same order.", show_default=False)
    ],
    channel: Annotated[
        list[str], typer.Option(help="The channels' names, in their order; repeated.")
    ],
    out: Out = Path("crops.h5ad"),
    dataset: Annotated[
        str | None, typer.Option(help="Dataset of the .h5 file. (default: the only 4-D one)")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="COLUMN=Well: what a column of the table means; may be repeated."),
    ] = None,
    negative: Annotated[
        str, typer.Option(help="The compound that is the negative control.")
    ] = "DMSO",
) -> None:
    """Take over crops that were cut elsewhere."""
    import cellssl.crops

    path = cellssl.crops.import_crops(
        pixels,
        table,
        out,
        dataset=dataset,
        channels=channel,
        columns=parse_pairs(column or [], "--column"),
        negative_control=negative,
    )
    opened = cellssl.crops.Crops.open(path)
    say(f"{len(opened.obs):,} cells, channels {', '.join(opened.channels)}, {opened.size} px")
    say(f"written to {path}")


@command(crops, "images")
def import_images(
    source: Annotated[
        list[Path],
        typer.Argument(
            help="Folder or .zip of pictures (JPEG, PNG, TIFF, BMP), MNIST's IDX files or their folder, "
            "CIFAR's binary version (folder, .bin, .tar.gz); several are joined.",
            show_default=False,
        ),
    ],
    out: Out = Path("images.h5ad"),
    size: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Side in pixels: the shorter side is resized to it, the middle kept. (default: as they "
            "are, where all are squares of one size)",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="The data set's name. (default: that of the folder or archive)"),
    ] = None,
) -> None:
    """Take over a data set of photographs: classes from folders, train, test and val from names."""
    import cellssl.crops
    import cellssl.datasets

    path = cellssl.datasets.import_images(source, out, size=size, name=name, progress=shown())
    opened = cellssl.crops.Crops.open(path)
    say(f"{len(opened):,} pictures, channels {', '.join(opened.channels)}, {opened.size} px")
    for column in ("Metadata_Split", "Metadata_Class"):
        if column in opened.obs:
            counts = opened.obs[column].value_counts(sort=False)
            shortened = [f"{value or '(none)'} {n:,}" for value, n in counts.head(12).items()]
            more = f", … ({len(counts)} in all)" if len(counts) > 12 else ""
            say(f"{column.removeprefix('Metadata_')}: {', '.join(shortened)}{more}")
    say(f"written to {path}")

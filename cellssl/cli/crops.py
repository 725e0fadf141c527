"""Commands on crops that exist already: import, export, features, join, label, check, images."""

from pathlib import Path
from typing import Annotated

import typer

from cellssl.cli import options
from cellssl.cli.application import crops
from cellssl.cli.shell import command, say, show_table, shown
from cellssl.columns import bare_name


@command(crops, "import")
def import_crops(
    pixels: Annotated[
        Path,
        options.argument(
            "Crops as .npy or .h5 (N, C, H, W), scPortrait's .h5sc, or DeepProfiler's folder of "
            "single cells."
        ),
    ],
    table: Annotated[
        Path | None,
        options.argument(
            "CSV beside .npy and .h5, a row per crop in the same order. (default: the one of "
            "the same name)"
        ),
    ] = None,
    channel: Annotated[
        list[str] | None,
        typer.Option(
            help="The channels' names, in their order; repeated. (default: those the format knows)"
        ),
    ] = None,
    out: options.Out = Path("crops.h5ad"),
    dataset: Annotated[
        str | None, typer.Option(help="Dataset of the .h5 file. (default: the only 4-D one)")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="COLUMN=Well: what a column of the table means; may be repeated."),
    ] = None,
    plate_name: Annotated[
        str | None, typer.Option(help="The plate's name. (default: the table's, or the folder's)")
    ] = None,
    negative: Annotated[
        str, typer.Option(help="The compound, or gene, that is the negative control.")
    ] = "DMSO",
) -> None:
    """Take over crops that were cut elsewhere."""
    import cellssl.crops

    path = cellssl.crops.import_crops(
        pixels,
        table,
        out,
        dataset=dataset,
        channels=channel or None,
        columns=options.parse_pairs(column, "--column"),
        plate=plate_name,
        negative_control=negative,
        progress=shown(),
    )
    _say_made(path)


@command(crops, "export")
def export_crops(
    source: options.CropFile,
    out: Annotated[Path, options.out_option("The file that is written, or DeepProfiler's folder.")],
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="h5sc (scPortrait), npy or hdf5 (with a CSV), deepprofiler (a folder of PNGs). "
            "(default: what the name says: .h5sc, .npy, .h5, or none for a folder)",
        ),
    ] = None,
) -> None:
    """Write crops for another program; `crops import` reads them back."""
    import cellssl.crops

    path = cellssl.crops.export_crops(source, out, format=format_, progress=shown())
    say(f"written to {path}")


@command(crops, "features")
def import_features(
    folder: Annotated[
        Path, options.argument("DeepProfiler's features folder: <plate>/<well>/<site>.npz.")
    ],
    out: options.Out = Path("deepprofiler.h5ad"),
    source: Annotated[
        Path | None,
        typer.Option("--crops", help="The same cells' crop file: their names and tables."),
    ] = None,
    index: Annotated[
        Path | None, typer.Option(help="DeepProfiler's index.csv, where there are no crops.")
    ] = None,
    name: Annotated[str, typer.Option(help="The embedding's name in tables.")] = "DeepProfiler",
) -> None:
    """Take over DeepProfiler's features as an embedding, for `evaluate`."""
    import cellssl.crops

    path = cellssl.crops.import_features(folder, out, crops=source, index=index, name=name)
    say(f"written to {path}")


@command(crops, "join")
def join_crops(
    sources: Annotated[list[Path], options.argument("Crop files, or their folders, in order.")],
    out: options.Out,
    channel: Annotated[
        list[str] | None,
        typer.Option(
            help="Channels to keep, in their order, or OLD=NEW to name them anew; repeated. (default: all, the same in "
            "every file)"
        ),
    ] = None,
    masks: Annotated[bool, typer.Option(help="Keep the masks.")] = True,
) -> None:
    """Join several plates' crops into one file; --out may be one of them, to append to it."""
    import cellssl.crops

    _say_made(
        cellssl.crops.join_crops(
            sources, out, channels=_renamed(channel or []), masks=masks, progress=shown()
        )
    )


@command(crops, "label")
def label_crops(
    crops: options.CropFile,
    by: Annotated[
        str,
        typer.Option(
            help="A channel, for each cell's total intensity in it, or a column of numbers, e.g. "
            "Area_Nucleus."
        ),
    ],
    name: Annotated[str, typer.Option(help="The new column's name, e.g. 'DNA content'.")],
    out: options.Out,
    classes: Annotated[int, typer.Option(min=2, help="Classes of equal size, low to high.")] = 3,
    per: Annotated[
        str | None,
        typer.Option(
            help="A column, such as Plate, within whose values cells are ranked. (default: all cells)"
        ),
    ] = None,
) -> None:
    """Add a label made of what is measured: the same crops with classes along an intensity or size."""
    import cellssl.crops
    from cellssl.crops.labelling import class_names, label_column

    path = cellssl.crops.label_crops(crops, out, by=by, name=name, classes=classes, per=per)
    counts = cellssl.crops.Crops.open(path).obs[label_column(name)].value_counts()
    order = [value for value in (*class_names(classes), "") if value in counts.index]
    say(", ".join(f"{value or '(none)'}: {counts[value]:,}" for value in order))
    say(f"written to {path}; take it with --label '{bare_name(name)}'")


def _renamed(channels: list[str]) -> list[str] | dict[str, str] | None:
    """Give names, or old and new ones where some are OLD=NEW; None where there are none."""
    if not any("=" in name for name in channels):
        return channels or None
    return options.parse_pairs(
        [name if "=" in name else f"{name}={name}" for name in channels], "--channel"
    )


def _say_made(path: Path) -> None:
    """Say what the new crop file holds."""
    import cellssl.crops

    opened = cellssl.crops.Crops.open(path)
    say(f"{len(opened.obs):,} cells, channels {', '.join(opened.channels)}, {opened.size} px")
    say(f"written to {path}")


@command(crops, "check")
def check_crops(
    crops: options.CropFile,
    out: Annotated[
        Path | None, options.out_option("A crop file for the good cells. (default: none is made)")
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            help="A reason that shall not drop cells (fragment, large, noise, saturated, blurred); may be repeated."
        ),
    ] = None,
) -> None:
    """Say which cells are fragments, noise, saturated or blurred, and why; write the others."""
    import cellssl.cells
    import cellssl.crops
    from cellssl.files import write_csv

    opened = cellssl.crops.Crops.open(crops)
    table = cellssl.cells.check_crops(opened)
    counts = table["Quality_Reason"].value_counts()
    faulty = table[table["Quality_Reason"] != ""]
    rows = [[reason, f"{number:,}"] for reason, number in counts.items() if reason]
    if rows:
        show_table("Faulty cells", ["reason", "cells"], rows)
    say(f"{len(table):,} cells, {len(faulty):,} faulty")
    if out is not None:
        path = cellssl.cells.clean_crops(opened, table, out, keep=keep or [])
        listed = path.with_name(f"{path.stem}.dropped.csv")
        lost = faulty[~faulty["Quality_Reason"].isin(keep or [])]
        write_csv(lost.rename_axis("Cell").reset_index(), listed)
        say(f"written to {path}; what was dropped: {listed}")


@command(crops, "images")
def import_images(
    source: Annotated[
        list[Path],
        options.argument(
            "Folder or .zip of pictures (JPEG, PNG, TIFF, BMP), MNIST's IDX files or their folder, "
            "CIFAR's binary version (folder, .bin, .tar.gz); several are joined."
        ),
    ],
    out: options.Out = Path("images.h5ad"),
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
            say(f"{bare_name(column)}: {', '.join(shortened)}{more}")
    say(f"written to {path}")

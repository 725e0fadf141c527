"""Options that several commands share, said once; those that belong together are a dataclass."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cellssl.cli.shell import parse_pairs
from cellssl.errors import CellsslError

if TYPE_CHECKING:
    from cellssl.cells import Segmenter
    from cellssl.plates import PlateIndex

__all__ = [
    "Baselines",
    "CropFile",
    "Device",
    "Label",
    "ManyDevices",
    "Out",
    "PlateFiles",
    "Segmentation",
    "Subsets",
    "TrainingChanges",
    "Weights",
    "Where",
    "Workers",
    "parse_baselines",
    "parse_subsets",
]

Out = Annotated[Path, typer.Option("--out", "-o", help="Where the result is written.")]
CropFile = Annotated[Path, typer.Argument(help="The crop file (crops.h5ad).", show_default=False)]
Label = Annotated[
    str | None,
    typer.Option(
        help="The column to score against. (default: MOA, Phenotype, Control, Compound or Class, the first there)"
    ),
]
Where = Annotated[
    str | None, typer.Option(help="A true/false column: only cells where it is true are scored.")
]
Subsets = Annotated[
    list[str] | None,
    typer.Option(
        "--subset", help="NAME=VALUE,VALUE,… of the label, scored beside all; may be repeated."
    ),
]
Baselines = Annotated[
    list[str] | None,
    typer.Option(
        "--baseline",
        help="resnet18…101, resnet50-v1, random, simple-features, intensity-features, "
        "or MODEL=WEIGHTS.pth; may be repeated; 'none' for none. (default: resnet101, random, simple-features)",
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes that segment fields.")]
Weights = Annotated[
    Path | None,
    typer.Option(help="Local file with a pretrained model's weights; nothing is downloaded."),
]


@dataclass(frozen=True)
class PlateFiles:
    """How a plate's folder is read."""

    layout: Annotated[str, typer.Option(help="How files are named: auto, bbbc021 or pattern.")] = (
        "auto"
    )
    pattern: Annotated[
        str | None,
        typer.Option(
            help="Regular expression over the path below the folder, with named groups: channel, "
            "well (or row and column), and optionally plate and site.",
        ),
    ] = None
    metadata: Annotated[
        Path | None, typer.Option(help="CSV of wells: Well (or Row and Column) and any columns.")
    ] = None
    moa: Annotated[
        Path | None, typer.Option(help="CSV with compound, concentration, moa (bbbc021).")
    ] = None
    channel: Annotated[
        list[str] | None,
        typer.Option(help="FILE=NAME, in the order wanted: --channel 1=GFP --channel 2=DNA."),
    ] = None
    plate_name: Annotated[
        str | None,
        typer.Option(
            "--plate-name", help="The plate's name. (default: the pattern's, or the folder's)"
        ),
    ] = None
    control_column: Annotated[
        str | None, typer.Option(help="The metadata column that says which wells are controls.")
    ] = None
    negative: Annotated[str | None, typer.Option(help="Its value in negative control wells.")] = (
        None
    )
    positive: Annotated[str | None, typer.Option(help="Its value in positive control wells.")] = (
        None
    )

    def index(self, folder: Path) -> "PlateIndex":
        """Index a folder, or load the index that was saved in a file."""
        from cellssl.plates import PlateIndex, index

        if folder.suffix in (".csv", ".parquet"):
            if self != PlateFiles():
                raise CellsslError(
                    f"{folder} is an index already: options that read a folder belong to `plates index`"
                )
            return PlateIndex.load(folder)
        return index(
            folder,
            layout="pattern" if self.pattern and self.layout == "auto" else self.layout,
            pattern=self.pattern,
            metadata=self.metadata,
            moa=self.moa,
            channels=parse_pairs(self.channel or [], "--channel") or None,
            plate=self.plate_name,
            control_column=self.control_column,
            negative=self.negative,
            positive=self.positive,
        )


@dataclass(frozen=True)
class Segmentation:
    """How cells are found."""

    segmenter: Annotated[str, typer.Option(help="threshold or cellpose.")] = "threshold"
    cellpose_model: Annotated[
        str | None, typer.Option(help="Cellpose's model: a name or a local file.")
    ] = None
    nucleus: Annotated[
        str | None,
        typer.Option(help="The channel with the nuclei. (default: DAPI, DNA, Hoechst, …)"),
    ] = None
    diameter: Annotated[
        float | None,
        typer.Option(min=2, help="Nuclear diameter in pixels. (default: from the data)"),
    ] = None

    def build(self) -> "Segmenter":
        """Build the segmenter that the options ask for."""
        from cellssl.cells import CellposeSegmenter, ThresholdSegmenter

        settings: dict[str, Any] = {"nucleus_channel": self.nucleus, "diameter": self.diameter}
        if self.segmenter == "threshold":
            if self.cellpose_model is not None:
                raise CellsslError("--cellpose-model goes with --segmenter cellpose")
            return ThresholdSegmenter(**settings)
        if self.segmenter == "cellpose":
            if self.cellpose_model is not None:
                settings["model"] = self.cellpose_model
            return CellposeSegmenter(**settings)
        raise CellsslError(f"no segmenter is called '{self.segmenter}': threshold or cellpose")


@dataclass(frozen=True)
class ManyDevices:
    """How several devices share a training; torchrun brings its own numbers."""

    devices: Annotated[int, typer.Option(min=1, help="Devices on each machine.")] = 1
    nodes: Annotated[int, typer.Option(min=1, help="Machines.")] = 1
    strategy: Annotated[
        str, typer.Option(help="auto or ddp: each device takes a part of every batch.")
    ] = "auto"


@dataclass(frozen=True)
class TrainingChanges:
    """Values that replace a protocol's."""

    epochs: Annotated[int | None, typer.Option(min=1, help="Replaces the protocol's epochs.")] = (
        None
    )
    seed: Annotated[int | None, typer.Option(min=0, help="Replaces the protocol's seed.")] = None
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="KEY=VALUE replaces a protocol's value, e.g. training.width=0.5; may be repeated.",
        ),
    ] = None

    def collect(self) -> dict[str, Any]:
        """Gather them by dotted key; values are read as in a protocol file."""
        from cellssl.protocols import parse_value

        pairs = parse_pairs(self.set_ or [], "--set")
        collected: dict[str, Any] = {key: parse_value(text) for key, text in pairs.items()}
        if self.epochs is not None:
            collected["training.epochs"] = self.epochs
        if self.seed is not None:
            collected["training.seed"] = self.seed
        return collected


def parse_baselines(values: list[str] | None) -> dict[str, Path | None] | None:
    """Turn ``["random", "resnet101=w.pth"]`` into models and their weights; None stays None."""
    if values is None:
        return None
    baselines: dict[str, Path | None] = {}
    for value in values:
        if value == "none":
            continue
        model, equals, weights = value.partition("=")
        if equals and not weights:
            raise CellsslError(f"--baseline {value} names no file after the =")
        baselines[model] = Path(weights) if equals else None
    return baselines


def parse_subsets(values: list[str] | None) -> dict[str, list[str]] | None:
    """Turn ``["cyto=DMSO,Actin disruptors"]`` into lists of label values by name."""
    pairs = parse_pairs(values or [], "--subset")
    return {
        name: [part.strip() for part in text.split(",")] for name, text in pairs.items()
    } or None

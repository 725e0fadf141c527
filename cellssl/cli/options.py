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
    "Aggregation",
    "Baselines",
    "Controls",
    "CropFile",
    "Cutting",
    "Device",
    "EmbeddingFile",
    "Groups",
    "Head",
    "HeldOut",
    "Label",
    "ManyDevices",
    "Normalisation",
    "Out",
    "PlateFiles",
    "Segmentation",
    "Subsets",
    "TrainingChanges",
    "Weights",
    "Where",
    "Workers",
    "parse_baselines",
    "parse_lists",
]

Out = Annotated[Path, typer.Option("--out", "-o", help="Where the result is written.")]
CropFile = Annotated[Path, typer.Argument(help="The crop file (crops.h5ad).", show_default=False)]
Head = Annotated[
    str | None,
    typer.Option(
        help="The space of one head of a trained run: a group of views' name, or projection where there "
        "are no groups. (default: the encoder's own features)"
    ),
]
Label = Annotated[
    str | None,
    typer.Option(
        help="The column to score against. (default: MOA, Phenotype, Control, Compound or Class, the first there)"
    ),
]
Where = Annotated[
    str | None, typer.Option(help="A true/false column: only cells where it is true are scored.")
]
HeldOut = Annotated[
    bool,
    typer.Option(
        "--held-out",
        help="Score only plates whose labels no training used for its positives. Without it, scores that "
        "would ask for labels that training was given are refused.",
    ),
]
Groups = Annotated[
    str,
    typer.Option(
        help="What kNN and linear are kept apart by: plate, well, split (Metadata_Split), or a column. "
        "(default: the test set where there is one, else plates, else wells)",
        show_default=False,
    ),
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
EmbeddingFile = Annotated[
    Path, typer.Argument(help="Cells or wells: .h5ad, .zarr, .csv or .parquet.", show_default=False)
]
Normalisation = Annotated[
    str,
    typer.Option(
        help="Label-free: none, standardise, plate-standardise, plate-robust, control-standardise, "
        "control-robust, control-percentile, sphere, control-sphere, tvn, factor-analysis, coral, control-coral, "
        "harmony; several joined by +."
    ),
]
Controls = Annotated[
    str | None,
    typer.Option(
        help="COLUMN=VALUE of the negative controls. (default: Metadata_Control=negative)"
    ),
]
Aggregation = Annotated[
    str,
    typer.Option(
        help="median, mean or trimmed-mean (without the tenth at either end): cells to wells, wells to treatments."
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

    layout: Annotated[
        str,
        typer.Option(
            help="How images are named or described: auto, bbbc021, cellprofiler, deepprofiler, imagexpress, "
            "incell, ome-tiff, ome-zarr, pattern, phenix or yokogawa.",
        ),
    ] = "auto"
    pattern: Annotated[
        str | None,
        typer.Option(
            help="Regular expression over the path below the folder, with named groups: channel, "
            "well (or row and column), and optionally plate, site, z and time.",
        ),
    ] = None
    metadata: Annotated[
        Path | None,
        typer.Option(
            help="CSV of wells: Well (or Row and Column) and any columns; or the table that lists the images "
            "(bbbc021, cellprofiler, deepprofiler).",
        ),
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
    z: Annotated[
        str | None,
        typer.Option(
            "--z",
            help="What stands for a stack: max, mean, middle, or a plane's number. Single planes need none.",
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
            z=self.z,
            control_column=self.control_column,
            negative=self.negative,
            positive=self.positive,
        )


@dataclass(frozen=True)
class Segmentation:
    """How cells are found."""

    segmenter: Annotated[
        str, typer.Option(help="threshold, cellpose, or labels: images made elsewhere.")
    ] = "threshold"
    cellpose_model: Annotated[
        str | None, typer.Option(help="Cellpose's model: a name or a local file.")
    ] = None
    labels: Annotated[
        str | None,
        typer.Option(
            help="Label images of nuclei (TIFF, PNG, NPY), one per field: a folder where their names begin like "
            "the nucleus channel's, or a path with {plate}, {well}, {site}, {image} or a metadata column: "
            "'masks/{plate}/{well}_{site}.tif'. Takes --segmenter labels for granted.",
        ),
    ] = None
    cell_labels: Annotated[
        str | None, typer.Option(help="The same for whole cells, beside --labels.")
    ] = None
    cells: Annotated[
        bool,
        typer.Option("--cells", help="Find whole cells too, in the channels beside the nuclei's."),
    ] = False
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
        from cellssl.cells import CellposeSegmenter, LabelImages, ThresholdSegmenter

        kind = "labels" if self.labels and self.segmenter == "threshold" else self.segmenter
        self._check(kind)
        if kind == "labels":
            return LabelImages(self.labels or "", self.cell_labels, self.nucleus)
        settings: dict[str, Any] = {
            "nucleus_channel": self.nucleus,
            "diameter": self.diameter,
            "cells": self.cells,
        }
        if kind == "threshold":
            return ThresholdSegmenter(**settings)
        return CellposeSegmenter(self.cellpose_model or "", **settings)

    def _check(self, kind: str) -> None:
        """Refuse options that the segmenter would not look at."""
        known = ("threshold", "cellpose", "labels")
        if kind not in known:
            raise CellsslError(f"no segmenter is called '{kind}': {', '.join(known)}")
        if kind != "cellpose" and self.cellpose_model is not None:
            raise CellsslError("--cellpose-model goes with --segmenter cellpose")
        if kind != "labels" and (self.labels or self.cell_labels):
            raise CellsslError("--labels and --cell-labels go with --segmenter labels")
        if kind == "labels" and not self.labels:
            raise CellsslError(
                "--segmenter labels needs --labels: a folder, or a path with {well} …"
            )
        if kind == "labels" and (self.cells or self.diameter is not None):
            raise CellsslError(
                "with --segmenter labels nothing is found: no --cells, no --diameter"
            )


@dataclass(frozen=True)
class Cutting:
    """How fields become crops, beside the segmenter."""

    illumination: Annotated[
        str,
        typer.Option(
            help="How uneven illumination is estimated: median, basicpy (where installed), or none."
        ),
    ] = "median"
    keep: Annotated[
        list[str] | None,
        typer.Option(
            help="A reason that shall not drop cells (fragment, large, noise, saturated, blurred, "
            "field_saturated, field_debris, field_focus, field_illumination); may be repeated."
        ),
    ] = None
    workers: Workers = 1
    scheduler: Annotated[
        str | None,
        typer.Option(help="Address of a Dask scheduler whose workers segment: tcp://HOST:8786."),
    ] = None

    def arguments(self) -> dict[str, Any]:
        """Give them as `cellssl.cells.crop` takes them."""
        return {**vars(self), "keep": self.keep or []}


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


def parse_lists(values: list[str] | None, option: str) -> dict[str, list[str]] | None:
    """Turn ``["cyto=DMSO,Actin disruptors"]`` into lists by name; None when there are none."""
    pairs = parse_pairs(values or [], option)
    return {
        name: [part.strip() for part in text.split(",")] for name, text in pairs.items()
    } or None

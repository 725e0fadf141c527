"""Options of the commands that read a plate and cut its cells out, a dataclass for each matter."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cellssl.cli import options
from cellssl.errors import CellsslError
from cellssl.framing import MOST_BINNED

if TYPE_CHECKING:
    from cellssl.cells import Segmenter
    from cellssl.plates import PlateIndex


_MOST_WORKERS = 8  # by default: each takes some 500 MB for five channels of 2160 × 2160 pixels
PLATE_GIVEN = options.existing("name the folder of a plate's images, or what cellssl made of one")


@dataclass(frozen=True)
class PlateFiles:
    """How a plate's folder is read."""

    layout: Annotated[
        str,
        typer.Option(
            help="How images are named or described: auto, bbbc021, cellprofiler, deepprofiler, imagexpress, "
            "incell, ome-tiff, ome-zarr, pattern, phenix or yokogawa."
        ),
    ] = "auto"
    pattern: Annotated[
        str | None,
        typer.Option(
            help="Regular expression over the path below the folder, with named groups: channel, "
            "well (or row and column; well96 of counted ones), and optionally plate, site, z and time."
        ),
    ] = None
    metadata: Annotated[
        Path | None,
        typer.Option(
            help="Table of wells (CSV): Well (or Row and Column) and any columns, such as Compound, MOA, and "
            "Concentration (also Dose_uM, or 500 nM: then in µM); or the table that lists the images (bbbc021, "
            "cellprofiler, deepprofiler).",
            callback=options.existing("name the table of wells, or leave --metadata out"),
        ),
    ] = None
    moa: Annotated[
        Path | None,
        typer.Option(
            help="CSV with compound, concentration, moa (bbbc021).",
            callback=options.existing("name the table of mechanisms, or leave --moa out"),
        ),
    ] = None
    channel: Annotated[
        list[str] | None,
        typer.Option(
            help="What the files call a channel, and its name, in the order wanted: --channel 1=GFP --channel 2=DNA. "
            "(default: as the files call them)"
        ),
    ] = None
    plate_name: Annotated[
        str | None, typer.Option(help="The plate's name. (default: the pattern's, or the folder's)")
    ] = None
    z: Annotated[
        str | None,
        typer.Option(
            help="What stands for a stack: max, mean, middle, or a plane's number. Single planes need none."
        ),
    ] = None
    control_column: Annotated[
        str | None, typer.Option(help="The metadata column that says which wells are controls.")
    ] = None
    negative: Annotated[
        str | None, typer.Option(help="What stands in that column for negative control wells.")
    ] = None
    positive: Annotated[
        str | None, typer.Option(help="What stands in that column for positive control wells.")
    ] = None

    def index(self, folder: Path) -> "PlateIndex":
        """Index a folder, or load the index that was saved in a file."""
        from cellssl.plates import PlateIndex, index

        if folder.suffix in (".csv", ".parquet"):
            loaded = PlateIndex.load(folder)  # a table of another kind says so first
            if self != PlateFiles():
                raise CellsslError(
                    f"{folder} is an index already: options that read a folder belong to `plates index`"
                )
            return loaded
        return index(
            folder,
            layout="pattern" if self.pattern and self.layout == "auto" else self.layout,
            pattern=self.pattern,
            metadata=self.metadata,
            moa=self.moa,
            channels=options.parse_pairs(self.channel, "--channel") or None,
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
            "'masks/{plate}/{well}_{site}.tif'; or labels/NAME, those of each image in OME-Zarr. Takes --segmenter "
            "labels for granted."
        ),
    ] = None
    cell_labels: Annotated[
        str | None, typer.Option(help="The same for whole cells, beside --labels.")
    ] = None
    cells: Annotated[
        bool,
        typer.Option(
            "--cells",
            help="Find whole cells too, in the channels beside the nuclei's, but for brightfield.",
        ),
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
        if self.cell_labels and not self.labels:
            raise CellsslError(
                "--cell-labels stands beside --labels, the label images of the nuclei: give both (--cells finds "
                "whole cells where there are no label images)"
            )
        if kind != "labels" and self.labels:
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
    """How fields become crops."""

    binning: Annotated[
        int,
        typer.Option(
            min=1,
            max=MOST_BINNED,
            help="Average blocks of so many pixels a side as images are read: 2 makes of 40x 20x. Sizes in pixels "
            "then mean binned ones.",
        ),
    ] = 1
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
            "field_saturated, field_debris, field_focus, field_dark, field_illumination); may be repeated."
        ),
    ] = None
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes that segment and judge fields. (default: one for each core that is free to be used, "
            f"up to {_MOST_WORKERS}; one for Cellpose)",
        ),
    ] = None
    scheduler: Annotated[
        str | None,
        typer.Option(help="Address of a Dask scheduler whose workers segment: tcp://HOST:8786."),
    ] = None

    def arguments(self, segmenter: "Segmenter") -> dict[str, Any]:
        """Give them as `cellssl.cells.crop` takes them beside this segmenter."""
        workers = self.workers or self._usual_workers(segmenter)
        return {**vars(self), "keep": self.keep or [], "workers": workers}

    def _usual_workers(self, segmenter: "Segmenter") -> int:
        """One for each core, where these are not a cluster's, nor taken by a network."""
        if self.scheduler is not None or segmenter.name == "cellpose":
            return 1
        from dask.system import CPU_COUNT  # of those that this process may use, in a container too

        return min(CPU_COUNT, _MOST_WORKERS)

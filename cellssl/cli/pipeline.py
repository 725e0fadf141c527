"""Commands for the whole way: run, demo, doctor."""

from pathlib import Path
from typing import Annotated

import typer

from cellssl.cli import options
from cellssl.cli.application import WAY, app
from cellssl.cli.plate_options import PLATE_GIVEN, Cutting, PlateFiles, Segmentation
from cellssl.cli.results import show_scores
from cellssl.cli.shell import command, say, show_table, shown
from cellssl.errors import CellsslError


@command(app, "run", panel=WAY)
def run(
    plate: Annotated[
        Path,
        options.argument(
            "A plate's folder, its saved index (.csv, .parquet) or crops (.h5ad).", PLATE_GIVEN
        ),
    ],
    out: options.OutFolder,
    files: PlateFiles,
    segmentation: Segmentation,
    cutting: Cutting,
    changes: options.TrainingChanges,
    protocol: Annotated[
        str | None, options.protocol_option("The protocol to train an encoder with.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", help="A run folder or checkpoint to use instead of training."
        ),
    ] = None,
    label: options.Label = None,
    held_out: options.HeldOut = False,
    dose: Annotated[
        str | None, typer.Option(help="The column of doses. (default: one called so, if any)")
    ] = None,
    baseline: options.Baselines = None,
    sample: Annotated[
        int, typer.Option(min=50, help="Cells that baselines embed and scores are computed on.")
    ] = 5000,
    orientations: options.Orientations = 1,
    size: Annotated[
        int | None,
        typer.Option(min=8, help="Side of stored crops. (default: 1.5 times the protocol's view)"),
    ] = None,
    redo: Annotated[
        str | None,
        typer.Option(
            help="Do a stage again, and all that follow: crop, train, embed, evaluate, report."
        ),
    ] = None,
    device: options.Device = "auto",
) -> None:
    """From a plate to a report: crop, train, embed, evaluate, report.

    Finished stages are skipped; the same command after an interruption goes on where it stopped.
    """
    if (protocol is None) == (model is None):
        raise CellsslError(
            "give --protocol NAME (to train an encoder) or --model RUN (to use one)"
            + (", not both" if model else "; `cellssl protocols list` shows the protocols")
        )
    is_crops = plate.suffix == ".h5ad"
    nothing = (PlateFiles(), Segmentation(), Cutting(), None)
    if is_crops and (files, segmentation, cutting, size) != nothing:
        raise CellsslError(
            f"{plate} holds crops already: options of files, segmenter and crops do not apply"
        )
    import cellssl.pipeline

    segmenter = segmentation.build()
    result = cellssl.pipeline.run(
        plate if is_crops else files.index(plate),
        out,
        protocol=protocol,
        model=model,
        changes=changes.collect(),
        segmenter=segmenter,
        crop_size=size,
        label=label,
        held_out=held_out,
        dose=dose,
        baselines=options.parse_baselines(baseline),
        sample=sample,
        orientations=orientations,
        **cutting.arguments(segmenter),
        redo=redo,
        device=device,
        progress=shown(),
    )
    show_scores(result.scores)
    say(f"report: {result.report.resolve()}")


@command(app, "demo", panel=WAY)
def demo(
    out: options.OutFolder = Path("cellssl-demo"),
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the simulated plates and the training.")
    ] = 0,
    device: options.Device = "auto",
) -> None:
    """Simulate two plates with known phenotypes and take them from images to a report."""
    import cellssl.pipeline

    result = cellssl.pipeline.demo(out, seed=seed, device=device, progress=shown())
    show_scores(result.scores)
    say(f"report: {result.report.resolve()}")


@command(app, "doctor", panel=WAY)
def doctor(
    folder: Annotated[Path, typer.Argument(help="Where results would go.")] = Path(),
) -> None:
    """Say whether this machine is ready, and what is missing."""
    import cellssl.pipeline

    findings = cellssl.pipeline.doctor(folder)
    show_table(
        "cellssl",
        ["", "subject", "what was seen"],
        [[finding.level, finding.subject, finding.detail] for finding in findings],
    )
    errors = [
        f"{finding.subject}: {finding.detail}" for finding in findings if finding.level == "error"
    ]
    if errors:
        raise CellsslError("; ".join(errors))

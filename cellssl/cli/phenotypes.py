"""Commands from embeddings to answers: evaluate, compare."""

from pathlib import Path
from typing import Annotated

import typer

from cellssl.cli.application import app
from cellssl.cli.options import (
    Baselines,
    CropFile,
    Device,
    Label,
    Out,
    Subsets,
    TrainingChanges,
    Where,
    parse_baselines,
    parse_subsets,
)
from cellssl.cli.shell import command, say, show_scores, shown


@command(app, "evaluate")
def evaluate(
    embeddings: Annotated[
        list[Path],
        typer.Argument(help="Embeddings: .h5ad, .zarr, .csv or .parquet.", show_default=False),
    ],
    out: Out,
    label: Label = None,
    where: Where = None,
    subset: Subsets = None,
    normalise: Annotated[
        str,
        typer.Option(
            help="standardise, plate-standardise, control-standardise or none; the same for all."
        ),
    ] = "standardise",
) -> None:
    """Score embeddings against a label, side by side on the same cells."""
    import cellssl.phenotypes

    scores = cellssl.phenotypes.evaluate(
        embeddings,
        label=label,
        out=out,
        subsets=parse_subsets(subset),
        where=where,
        normalise=normalise,
        progress=shown(),
    )
    show_scores(scores)
    say(f"written to {out}")


@command(app, "compare")
def compare(
    crops: CropFile,
    out: Out,
    protocol: Annotated[
        list[str], typer.Option("--protocol", "-p", help="A protocol's name or file; repeated.")
    ],
    changes: TrainingChanges,
    baseline: Baselines = None,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings per protocol.")] = 3,
    sample: Annotated[
        int | None, typer.Option(min=50, help="Embed only so many cells, evenly over the wells.")
    ] = None,
    label: Label = None,
    where: Where = None,
    subset: Subsets = None,
    device: Device = "auto",
) -> None:
    """Train several protocols with several seeds; score them beside baselines on the same cells."""
    import cellssl.studies

    comparison = cellssl.studies.compare(
        crops,
        protocol,
        out,
        label=label,
        baselines=parse_baselines(baseline),
        seeds=seeds,
        sample=sample,
        where=where,
        subsets=parse_subsets(subset),
        changes=changes.collect(),
        device=device,
        progress=shown(),
    )
    show_scores(comparison.scores)
    say(f"written to {comparison.folder}")

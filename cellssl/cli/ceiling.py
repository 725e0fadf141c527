"""The command that measures how far an encoder gets that is told the labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellssl.cli import options
from cellssl.cli.application import studies
from cellssl.cli.results import show_gains, show_scores
from cellssl.cli.shell import command, say, shown

if TYPE_CHECKING:
    import pandas as pd


@command(studies, "ceiling")
def ceiling(
    crops: options.CropFile,
    protocol: Annotated[
        str,
        options.protocol_option(
            "A protocol's name or file: its views and settings. One whose positives take the labels of "
            "some plates only has these told and the others predicted, in place of folds."
        ),
    ],
    out: options.OutFolder,
    changes: options.TrainingChanges,
    label: options.Label = None,
    where: options.Where = None,
    folds: Annotated[
        int, typer.Option(min=2, help="Parts that the plates are divided into, a training each.")
    ] = 5,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings per fold.")] = 1,
    subset: options.Subsets = None,
    beside: Annotated[
        Path | None,
        typer.Option(
            help="A scores.csv of the same cells, or the folder of a study, a comparison or an evaluation: "
            "the ceiling is shown beside its rows, and compared with each embedding of it."
        ),
    ] = None,
    orientations: options.Orientations = 1,
    device: options.Device = "auto",
) -> None:
    """Say how far an encoder gets that is told the labels: trained on some plates, asked on others."""
    import cellssl.studies
    from cellssl.phenotypes.evaluation.metrics import ANSWERS

    found = cellssl.studies.ceiling(
        crops,
        protocol,
        out,
        label=label,
        where=where,
        folds=folds,
        seeds=seeds,
        subsets=options.parse_lists(subset, "--subset"),
        changes=changes.collect(),
        beside=beside,
        orientations=orientations,
        device=device,
        progress=shown(),
    )
    own = found.measured.scores
    beside_it = found.scores["metric"].isin([*ANSWERS, *own["metric"]])
    show_scores(found.scores[beside_it & found.scores["subset"].isin(own["subset"])])
    _show_differences(found.differences)
    say(f"written to {found.folder}")


def _show_differences(differences: "pd.DataFrame") -> None:
    """Print by how much the ceiling is better than each embedding that it stands beside."""
    subsets = differences["subset"].where(differences["subset"] != "all", "")
    names = zip(differences["embedding_b"], subsets, strict=True)
    gains = differences.assign(
        name=[", ".join(filter(None, both)) for both in names], gain=differences["difference"]
    )
    if len(gains):
        title = "What labels of other plates add over each, with 95 % intervals; * apart"
        show_gains(title, "over", gains)
        say("beside kNN and linear stands the accuracy of predictions, beside AMI theirs")

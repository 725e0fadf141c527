"""Commands that say what a protocol erases: audit, invariances, suggest."""

from pathlib import Path
from typing import Annotated

import typer

from cellssl.cli.application import protocols
from cellssl.cli.options import CropFile, Weights
from cellssl.cli.shell import command, say, shown

Label = Annotated[
    str | None,
    typer.Option(help="The column of the classes, e.g. MOA. (default: none, wells are told apart)"),
]
Nuisances = Annotated[
    list[str] | None,
    typer.Option(
        "--nuisance",
        help="A column that is no phenotype; may be repeated. (default: Plate and Batch, where there)",
    ),
]
References = Annotated[
    list[str] | None,
    typer.Option(
        "--reference",
        help="measures, intensity, random, or resnet18…101 with --weights; may be repeated. "
        "(default: measures)",
    ),
]
Cells = Annotated[int, typer.Option(min=20, help="Cells that are looked at, evenly.")]
Where = Annotated[
    str | None, typer.Option(help="A true/false column: only cells where it is true.")
]
Plates = Annotated[
    list[str] | None, typer.Option("--plate", help="Only cells of this plate; may be repeated.")
]
Folder = Annotated[
    Path | None, typer.Option("--out", "-o", help="A folder for tables, words and the figure.")
]


@command(protocols, "audit")
def audit(
    protocol: Annotated[str, typer.Argument(help="A protocol's name or file.", show_default=False)],
    crops: CropFile,
    out: Folder = None,
    label: Label = None,
    nuisance: Nuisances = None,
    reference: References = None,
    weights: Weights = None,
    cells: Cells = 500,
    draws: Annotated[int, typer.Option(min=1, help="Views of each cell.")] = 2,
    where: Where = None,
    plate: Plates = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.")] = 0,
) -> None:
    """Say, before training, which contrasts each operation erases and which plates it bridges."""
    import cellssl.studies

    found = cellssl.studies.audit(
        protocol,
        crops,
        out,
        label=label,
        nuisances=nuisance,
        references=reference or ("measures",),
        weights=weights,
        cells=cells,
        draws=draws,
        where=where,
        plates=plate,
        seed=seed,
        progress=shown(),
    )
    for line in found.verdict:
        say(line)
    if out is not None:
        say(f"written to {out}")

"""Commands that say what a protocol erases: audit, invariances, suggest."""

import math
from pathlib import Path
from typing import Annotated

import typer

from cellssl.cli import options
from cellssl.cli.application import protocols
from cellssl.cli.shell import command, say, show_table, shown
from cellssl.words import counted, listed, number

Label = Annotated[
    str | None,
    typer.Option(help="The column of the classes, e.g. MOA. (default: none, wells are told apart)"),
]
Nuisances = Annotated[
    list[str] | None,
    typer.Option(
        help="A column that is no phenotype; may be repeated. (default: Plate and Batch, where there)"
    ),
]
References = Annotated[
    list[str] | None,
    typer.Option(
        help="measures, arrangement, intensity, random, or resnet18…101 with --weights; joined by + "
        "each class is told by what tells it; may be repeated. (default: measures+arrangement)"
    ),
]
Where = Annotated[
    str | None, typer.Option(help="A true/false column: only cells where it is true.")
]
Plates = Annotated[
    list[str] | None, typer.Option(help="Only cells of this plate; may be repeated.")
]
Folder = Annotated[Path | None, options.out_option("A folder for tables, words and the figure.")]
TablesAndFigure = Annotated[Path | None, options.out_option("A folder for tables and the figure.")]


@command(protocols, "audit")
def audit(
    protocol: options.ProtocolName,
    crops: options.CropFile,
    out: Folder = None,
    label: Label = None,
    nuisance: Nuisances = None,
    reference: References = None,
    weights: options.Weights = None,
    cells: options.SomeCells = 500,
    draws: options.Views = 2,
    where: Where = None,
    plate: Plates = None,
    seed: options.DrawSeed = 0,
) -> None:
    """Say, before training, which contrasts each operation erases and which plates it bridges."""
    import cellssl.studies

    found = cellssl.studies.audit(
        protocol,
        crops,
        out,
        label=label,
        nuisances=nuisance,
        references=reference or ("measures+arrangement",),
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


@command(protocols, "invariances")
def invariances(
    run: Annotated[
        Path,
        options.argument(
            "A run folder or checkpoint.", options.existing("make it with `cellssl train`")
        ),
    ],
    crops: options.CropFile,
    out: TablesAndFigure = None,
    head: options.Head = None,
    label: Label = None,
    reference: Annotated[
        str, typer.Option(help="The space it stands beside, or several joined by +.")
    ] = "measures+arrangement",
    weights: options.Weights = None,
    cells: options.SomeCells = 300,
    draws: options.Views = 2,
    where: Where = None,
) -> None:
    """Measure what a trained encoder became blind to, beside what was predicted."""
    import cellssl.studies

    found = cellssl.studies.invariances(
        run,
        crops,
        out,
        head=head,
        label=label,
        reference=reference,
        weights=weights,
        cells=cells,
        draws=draws,
        where=where,
        progress=shown(),
    )
    table = found.operations
    texts = ["operation", "amplitude"]
    texts += ["groups"] if (table["groups"] != "").any() else []
    names = ["moved_reference", "moved_encoder", "cost_reference", "cost_encoder"]
    rows = [
        [*said, *map(number, values)]
        for said, values in zip(table[texts].to_numpy(), table[names].to_numpy(), strict=True)
    ]
    heads = ["moved: reference", "encoder", "contrast lost: reference", "encoder"]
    show_table(f"What moves a cell in {found.run}", [*texts, *heads], rows)
    if found.forgotten:
        say(
            f"of {counted(len(found.contrasts), 'contrast')} that {reference} tells, the encoder tells "
            f"{len(found.contrasts) - len(found.forgotten)}, and no more than by chance "
            f"{listed(found.forgotten, most=3)}"
        )
    if not math.isnan(found.agreement):
        say(
            f"predicted and found contrasts, {len(found.contrasts)} pairs of classes: Spearman "
            f"{found.agreement:.2f}"
        )
    if out is not None:
        say(f"written to {out}")


@command(protocols, "suggest")
def suggest(
    crops: options.CropFile,
    label: Annotated[str, typer.Option(help="The column of the classes that must stay visible.")],
    out: Annotated[Path, options.out_option("The protocol file that is written.")] = Path(
        "suggested.yaml"
    ),
    nuisance: Nuisances = None,
    protocol: Annotated[
        str,
        typer.Option(
            help="Whose crop, scaling and training are taken; not its views.",
            callback=options.known_protocols,
        ),
    ] = "natural-simclr",
    budget: Annotated[
        float, typer.Option(help="The largest share of a contrast that an operation may take.")
    ] = 0.1,
    cells: options.SomeCells = 400,
    where: Annotated[
        str | None,
        typer.Option(help="A true/false column: labels are looked at only where it is true."),
    ] = None,
    plate: Annotated[
        list[str] | None,
        typer.Option(
            help="Plates whose labels are looked at, all when left out; scores are fair on the others."
        ),
    ] = None,
) -> None:
    """Choose amplitudes from some labelled cells: a protocol file, with reasons, to be edited."""
    import cellssl.studies
    from cellssl.protocols.describing import strength

    found = cellssl.studies.suggest(
        crops,
        out,
        label=label,
        nuisances=nuisance,
        base=protocol,
        name=out.stem,
        budget=budget,
        cells=cells,
        where=where,
        plates=plate,
        progress=shown(),
    )
    for operation in found.protocol.views[0].operations:
        say(f"{operation.name} ({strength(operation)}): {operation.because}")
    for name, why in found.dropped.items():
        say(f"left out: {name}, {why}")
    say(f"whole view: {found.together}")
    if found.training:
        say(f"training: {found.training}")
    for warning in found.warnings:
        say(f"warning: {warning}")
    used = found.protocol.labels_used
    if used is not None and used.plates:
        count = counted(len(used.plates), "plate")
        say(
            f"labels of {count} were looked at: scores are fair on others alone"
            if plate
            else f"labels of all plates ({count}) were looked at, so that scores of {label} on these are refused: "
            "to score some, choose by the others, each named with --plate"
        )
    say(f"written to {out}")

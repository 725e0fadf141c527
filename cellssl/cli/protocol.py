"""Commands around protocols: list, operations, show, check, diff, schema, preview."""

from pathlib import Path
from typing import Annotated

import typer

from cellssl.cli import options
from cellssl.cli.application import protocols
from cellssl.cli.shell import command, say, show_table


@command(protocols, "list")
def list_() -> None:
    """List the protocols that come with cellssl."""
    import cellssl.protocols

    loaded = [cellssl.protocols.load(name) for name in cellssl.protocols.names()]
    rows = [
        [
            one.name,
            "any" if one.channels == "any" else ", ".join(one.channels),
            f"{one.training.method}, {one.training.encoder}",
            one.description,
        ]
        for one in loaded
    ]
    show_table("Protocols", ["name", "channels", "training", "description"], rows)


@command(protocols, "operations")
def operations(
    name: Annotated[str | None, options.argument("One operation, explained key by key.")] = None,
) -> None:
    """List the operations that a protocol may use, or explain one."""
    import cellssl.protocols

    if name is None:
        table = cellssl.protocols.operations()
    else:
        text, table = cellssl.protocols.explain_operation(name)
        say(text)
    show_table(name or "Operations", table, table.to_numpy())


@command(protocols, "show")
def show(
    protocol: options.ProtocolName,
    resolved: Annotated[
        bool, typer.Option("--yaml", help="Print the resolved file instead.")
    ] = False,
) -> None:
    """Show what a protocol does to the cells, and why."""
    import cellssl.protocols

    loaded = cellssl.protocols.load(protocol)
    if resolved:
        say(cellssl.protocols.dump(loaded))
        return
    say(f"{loaded.name}: {loaded.description}" if loaded.description else loaded.name)
    for line in cellssl.protocols.summarise(loaded):
        say(line)
    table = cellssl.protocols.describe(loaded)
    show_table("Views", table, table.to_numpy())


@command(protocols, "check")
def check(
    protocol: options.ProtocolName,
    crops: Annotated[
        Path | None, options.argument("Crops to check it against.", options.MADE_BY_CROP)
    ] = None,
) -> None:
    """Check a protocol's file, and whether it suits crops: its views are made of some of them."""
    import cellssl.protocols

    loaded = cellssl.protocols.load(protocol)
    if crops is None:
        say(f"{loaded.name}: the file is right")
        return
    from cellssl.studies import check_protocol

    findings = check_protocol(loaded, crops)
    cellssl.protocols.refuse_errors(loaded, findings, data=crops)
    for finding in findings:
        say(f"{finding.level}: {finding.message}")
    say(f"{loaded.name} fits {crops}")


@command(protocols, "diff")
def diff(first: options.ProtocolName, second: options.ProtocolName) -> None:
    """Show what differs between two protocols."""
    import cellssl.protocols

    a, b = cellssl.protocols.load(first), cellssl.protocols.load(second)
    table = cellssl.protocols.diff(a, b)
    if table.empty:
        names = "" if a.name == b.name else " but for their names"
        say(f"{first} and {second} are the same{names}")
        return
    show_table("Differences", ["", first, second], table.to_numpy())


@command(protocols, "schema")
def schema() -> None:
    """Print the JSON Schema of protocol files, for editors that check and complete."""
    import json

    import cellssl.protocols

    typer.echo(json.dumps(cellssl.protocols.schema(), indent=2, ensure_ascii=False))


@command(protocols, "preview")
def preview(
    protocol: options.ProtocolName,
    crops: options.CropFile,
    out: Annotated[Path, options.out_option("The picture: .png, .pdf or .svg.")] = Path(
        "preview.png"
    ),
    beside: Annotated[
        str | None,
        typer.Option(
            help="A second protocol: whole views of both are drawn.",
            callback=options.known_protocols,
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            help="Column whose values the cells are chosen from. (default: the usual ones)"
        ),
    ] = None,
    cells: Annotated[int, typer.Option(min=1, help="Rows: cells of different labels.")] = 5,
    draws: Annotated[int, typer.Option(min=1, help="Whole views beside the operations.")] = 6,
    seed: options.DrawSeed = 0,
) -> None:
    """Draw what each operation, and then the whole protocol, does to cells."""
    import cellssl.report

    cellssl.report.preview(
        protocol, crops, out, beside=beside, label=label, cells=cells, draws=draws, seed=seed
    )
    say(f"written to {out}")

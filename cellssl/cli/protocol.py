"""Commands around protocols: list, show, check."""

from pathlib import Path
from typing import Annotated

import typer

from cellssl.cli.application import protocols
from cellssl.cli.shell import command, say, show_table

Name = Annotated[str, typer.Argument(help="A protocol's name or file.", show_default=False)]


@command(protocols, "list")
def list_() -> None:
    """List the protocols that come with cellssl."""
    import cellssl.protocols

    loaded = [cellssl.protocols.load(name) for name in cellssl.protocols.names()]
    rows = [
        [
            protocol.name,
            protocol.channels
            if isinstance(protocol.channels, str)
            else ", ".join(protocol.channels),
            f"{protocol.training.method}, {protocol.training.encoder}",
            protocol.description,
        ]
        for protocol in loaded
    ]
    show_table("Protocols", ["name", "channels", "training", "description"], rows)


@command(protocols, "show")
def show(
    protocol: Name,
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
    say(f"{loaded.name}: {loaded.description}")
    table = cellssl.protocols.describe(loaded)
    show_table("Views", [str(column) for column in table.columns], table.to_numpy().tolist())


@command(protocols, "check")
def check(
    protocol: Name,
    crops: Annotated[
        Path | None, typer.Argument(help="Crops to check it against.", show_default=False)
    ] = None,
) -> None:
    """Check a protocol's file, and whether it fits crops."""
    import cellssl.protocols

    loaded = cellssl.protocols.load(protocol)
    if crops is None:
        say(f"{loaded.name}: the file is right")
        return
    from cellssl.crops import Crops

    opened = Crops.open(crops)
    for warning in cellssl.protocols.require_fit(
        loaded, channels=opened.channels, stored_size=opened.size
    ):
        say(f"warning: {warning.message}")
    say(f"{loaded.name} fits {crops}")

"""The command that shows a map of cells: explore."""

from pathlib import Path
from typing import Annotated

import typer

from cellssl.cli import options
from cellssl.cli.application import ANSWERS, app
from cellssl.cli.shell import command, say, shown
from cellssl.errors import CellsslError

_PAGE = Path("explorer.html")
_MEGABYTES = 60.0


@command(app, "explore", panel=ANSWERS)
def explore(
    embedding: Annotated[
        Path,
        options.argument("The embedding: .h5ad, .zarr, .csv or .parquet.", options.MADE_BY_EMBED),
    ],
    crops: Annotated[
        Path | None,
        typer.Option(
            help="The crop file (crops.h5ad) whose cells are shown.", callback=options.MADE_BY_CROP
        ),
    ] = None,
    out: Annotated[
        Path | None, options.out_option(f"Where the page is written. (default: {_PAGE})")
    ] = None,
    colour: Annotated[
        str | None,
        typer.Option(help="The column that colours the cells first. (default: a usual label)"),
    ] = None,
    title: Annotated[
        str | None, typer.Option(help="What stands above the map. (default: the embedding's name)")
    ] = None,
    channel: Annotated[
        list[str] | None,
        typer.Option(help="CHANNEL=COLOUR: --channel DNA=blue --channel Actin=#ff8800."),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(min=10, help="Show only so many cells, evenly over the wells. (default: all)"),
    ] = None,
    megabytes: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            help=f"What pictures may take of the page; beyond, a sample carries them. (default: {_MEGABYTES:g})",
        ),
    ] = None,
    serve: Annotated[
        bool,
        typer.Option(
            "--serve",
            help="Write no page: show it in a browser on this machine, every crop from disk, until Ctrl-C.",
        ),
    ] = False,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="With --serve. (default: a free one)")
    ] = None,
) -> None:
    """Show the map of an embedding's cells on a page: colours, filters, crops, selections."""
    import cellssl.report

    if serve and (out is not None or megabytes is not None):
        raise CellsslError("--serve writes no page: leave --out and --megabytes, or leave --serve")
    if serve and crops is None:
        raise CellsslError("--serve shows crops from disk: give --crops crops.h5ad")
    if not serve and port is not None:
        raise CellsslError("--port goes with --serve")
    page = cellssl.report.explore(
        embedding,
        crops,
        out=None if serve else out or _PAGE,
        colour=colour,
        title=title,
        channels=options.parse_pairs(channel, "--channel"),
        sample=sample,
        megabytes=megabytes or _MEGABYTES,
        progress=shown(),
    )
    if serve:
        page.serve(
            port=port or 0, ready=lambda address: typer.echo(f"open {address} (Ctrl-C ends it)")
        )
    else:
        say(f"written to {out or _PAGE}")

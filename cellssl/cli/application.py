"""The ``cellssl`` application: its groups of commands."""

from typing import Annotated

import typer

from cellssl import __version__

app = typer.Typer(
    name="cellssl",
    help="From plates of fluorescence images to a map of phenotypes, without labels.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
plates = typer.Typer(no_args_is_help=True, help="Plates: which files are there.")
crops = typer.Typer(no_args_is_help=True, help="Crops that exist already.")
protocols = typer.Typer(
    no_args_is_help=True, help="Protocols: what an encoder is made blind to, and why."
)
studies = typer.Typer(
    no_args_is_help=True, help="Studies: many trainings, one question, evidence for a protocol."
)
downloads = typer.Typer(
    no_args_is_help=True, help="Public data sets and weights: what there is, get it, verify it."
)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"cellssl {__version__}")
        raise typer.Exit


@app.callback()
def _cellssl(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


# Each registers its commands, in the order of the help.
from cellssl.cli import pipeline, plate, crops as _crops, models  # noqa: E402, F401, I001
from cellssl.cli import embeddings, profiles, clusters, explorer, protocol, audit, study  # noqa: E402, F401
from cellssl.cli import ceiling, data  # noqa: E402, F401

app.add_typer(plates, name="plates")
app.add_typer(crops, name="crops")
app.add_typer(protocols, name="protocols")
app.add_typer(studies, name="study")
app.add_typer(downloads, name="data")

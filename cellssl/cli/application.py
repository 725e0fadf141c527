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
# The parts of the help, in their order.
WAY, STAGES = "From a plate to its report", "One stage of it"
ANSWERS, CHOICE = "Answers from embeddings", "Which protocol, and what is the evidence"
OTHERS = "What comes in, and goes out"

plates = typer.Typer(
    no_args_is_help=True, help="Plates: which files are there, what is missing or wrong."
)
crops = typer.Typer(
    no_args_is_help=True,
    help="Crop files: from and for other programs, joined, labelled, checked; photographs.",
)
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
from cellssl.cli import pipeline, plate, crops as _crops, models, profiles  # noqa: E402, F401, I001
from cellssl.cli import clusters, explorer, embeddings, protocol, audit, study  # noqa: E402, F401
from cellssl.cli import ceiling, data  # noqa: E402, F401

app.add_typer(plates, name="plates", rich_help_panel=OTHERS)
app.add_typer(crops, name="crops", rich_help_panel=OTHERS)
app.add_typer(protocols, name="protocols", rich_help_panel=CHOICE)
app.add_typer(studies, name="study", rich_help_panel=CHOICE)
app.add_typer(downloads, name="data", rich_help_panel=OTHERS)

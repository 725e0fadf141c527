"""Commands on embeddings: evaluate, combine, export; and compare, which makes them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellssl.cli import options
from cellssl.cli.application import ANSWERS, CHOICE, STAGES, app
from cellssl.cli.results import say_combined, show_classes, show_matches, show_scores
from cellssl.cli.shell import command, say, shown

if TYPE_CHECKING:
    from anndata import AnnData


def _check_files(texts: list[str]) -> list[str]:
    """Refuse embeddings that do not exist; what has a name in front, NAME=FILE, is asked for its file."""
    for text in texts:
        options.MADE_BY_EMBED(_name_and_file(text)[1])
    return texts


def _name_and_file(text: str) -> tuple[str, Path]:
    """Part NAME=FILE; all else, and a file that is called so, is a path without a name."""
    name, _, file = text.partition("=")
    return ("", Path(text)) if not file or Path(text).exists() else (name, Path(file))


Embeddings = Annotated[
    list[str],
    options.argument(
        "Embeddings: .h5ad, .zarr, .csv, .parquet, or an exported folder; NAME=FILE gives one a name of its own.",
        _check_files,
    ),
]


def _named(texts: list[str]) -> "list[AnnData | str | Path]":
    """Read what has a name in front, NAME=FILE, under that name; all else is a path."""
    from cellssl.phenotypes import read_embedding

    found: list[AnnData | str | Path] = []
    for text in texts:
        name, file = _name_and_file(text)
        if not name:
            found.append(file)
            continue
        cells = read_embedding(file)
        cells.uns["cellssl"] = {**cells.uns["cellssl"], "name": name}
        found.append(cells)
    return found


@command(app, "evaluate", panel=STAGES)
def evaluate(
    embeddings: Embeddings,
    out: options.OutFolder,
    label: options.Label = None,
    where: options.Where = None,
    groups: options.Groups = "auto",
    held_out: options.HeldOut = False,
    used_plates: options.UsedPlates = False,
    subset: options.Subsets = None,
    normalise: options.Normalisation = "standardise",
    controls: options.Controls = None,
    aggregate: options.Aggregation = "median",
    sample: Annotated[
        int, typer.Option(min=50, help="Score at most so many cells, evenly over the wells.")
    ] = 50_000,
) -> None:
    """Score embeddings against a label, side by side on the same cells."""
    import cellssl.phenotypes
    from cellssl.files import check_folder

    check_folder(out)
    measured = cellssl.phenotypes.measure_embeddings(
        _named(embeddings),
        label=label,
        subsets=options.parse_lists(subset, "--subset"),
        where=where,
        groups=groups,
        held_out=held_out,
        used_plates=used_plates,
        normalise=normalise,
        controls=controls,
        aggregate=aggregate,
        cell_count=True,
        sample=sample,
        progress=shown(),
    )
    measured.save(out)
    show_scores(measured.scores)
    show_matches(measured.scores)
    show_classes(measured.scores, measured.class_differences)
    say(f"written to {out}")


@command(app, "combine", panel=ANSWERS)
def combine(
    embeddings: Embeddings,
    out: options.Out,
    name: Annotated[
        str | None,
        typer.Option(help="The combination's name in tables. (default: the names joined by +)"),
    ] = None,
) -> None:
    """Join embeddings of the same cells into one, all weighing alike; cells are matched by name."""
    import cellssl.phenotypes

    combined = cellssl.phenotypes.combine(_named(embeddings), out, name=name)
    say_combined(combined)
    say(f"written to {out}")


@command(app, "export", panel=ANSWERS)
def export(
    embedding: Annotated[
        Path,
        options.argument(
            "An embedding: .h5ad, .zarr, .csv, .parquet, or an exported folder.",
            options.MADE_BY_EMBED,
        ),
    ],
    out: Annotated[
        Path,
        options.out_option(
            "What its end says: .parquet or .csv for pycytominer, .h5ad for mantispy, without an end a "
            "folder for DeepProfiler's tools."
        ),
    ],
    unit: Annotated[
        str | None,
        typer.Option(help="For mantispy: the unit of the concentrations, M, mM, uM, nM or pM."),
    ] = None,
) -> None:
    """Write an embedding for another program; every command reads it back as it was."""
    import cellssl.phenotypes

    say(f"written to {cellssl.phenotypes.export_embedding(embedding, out, unit=unit)}")


@command(app, "compare", panel=CHOICE)
def compare(
    crops: options.CropFile,
    out: options.OutFolder,
    protocol: Annotated[list[str], options.protocol_option("A protocol's name or file; repeated.")],
    changes: options.TrainingChanges,
    baseline: options.Baselines = None,
    combination: Annotated[
        list[str] | None,
        typer.Option(
            "--combine",
            help="NAME=PART,PART,… of the protocols and baselines: put side by side, seed by seed; may be repeated.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings per protocol.")] = 3,
    sample: Annotated[
        int | None,
        typer.Option(
            min=50, help="Embed only so many cells, evenly over the wells. (default: all)"
        ),
    ] = None,
    orientations: options.Orientations = 1,
    label: options.Label = None,
    where: options.Where = None,
    groups: options.Groups = "auto",
    held_out: options.HeldOut = False,
    subset: options.Subsets = None,
    device: options.Device = "auto",
) -> None:
    """Train several protocols with several seeds; score them beside baselines on the same cells."""
    import cellssl.studies

    comparison = cellssl.studies.compare(
        crops,
        protocol,
        out,
        label=label,
        baselines=options.parse_baselines(baseline),
        combine=options.parse_lists(combination, "--combine"),
        seeds=seeds,
        sample=sample,
        orientations=orientations,
        where=where,
        groups=groups,
        held_out=held_out,
        subsets=options.parse_lists(subset, "--subset"),
        changes=changes.collect(),
        device=device,
        progress=shown(),
    )
    show_scores(comparison.scores)
    show_classes(comparison.scores, comparison.class_differences)
    say(f"written to {comparison.folder}: comparison.html shows it")

"""A comparison's page: scores beside baselines, what each class gains and loses, what is taken for what."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cellssl.columns import bare_name
from cellssl.crops import Crops
from cellssl.files import safe_name
from cellssl.phenotypes import Measurements
from cellssl.report import confusion_figure, save_figure, score_figure
from cellssl.report.page import Block, Bullets, Fold, Picture, Section, Table, Text, write_page
from cellssl.report.sections.classes import classes_section
from cellssl.report.sections.scores import scores_section
from cellssl.studies.provenance import (
    describe_crops,
    describe_orientations,
    describe_trainings,
    doubt_of_places,
    doubt_of_seeds,
)


def write_comparison_page(
    measured: Measurements,
    crops: Crops,
    out: Path,
    *,
    environments: Mapping[str, Mapping[str, Any]],
    trained: Mapping[str, str],
    seeds: int,
    orientations: int,
    combined: Mapping[str, Sequence[str]],
) -> None:
    """Write ``comparison.html``, one file to forward, and its figures as files beside it.

    Parameters
    ----------
    measured : Measurements
    crops : Crops
        What was trained on.
    out : Path
        The folder.
    environments : mapping
        Run → what its ``environment.json`` says.
    trained : mapping
        Name of each protocol → what it says of itself; gains and losses in each class are told of the first.
    seeds : int
        Trainings of each.
    orientations : int
        Of how many orientations of a cell features are the mean.
    combined : mapping
        Combination → its parts.
    """
    first = next(iter(trained))
    others = [name for name in dict.fromkeys(measured.scores["embedding"]) if name != first]
    save_figure(score_figure(measured.scores), out / "scores.png")
    said = [
        ("Cells:", describe_crops(crops)),
        ("Trained:", describe_trainings(environments.values())),
        (
            "Scored:",
            "; ".join(f"{count:,} {name}" for name, count in measured.counts.items() if count),
        ),
        ("Features:", describe_orientations(orientations)),
        ("Normalisation:", f"{measured.normalisation}, the same for every embedding"),
    ]
    doubts = (doubt_of_places(environments.values()), doubt_of_seeds(seeds))
    how: list[Block] = [
        _compared(trained, seeds, combined),
        Bullets(said),
        *(Text(doubt, "warning") for doubt in doubts if doubt),
    ]
    sections = [
        scores_section(measured.scores, measured.label),
        classes_section(measured.class_differences, first, others, folder=out),
        _confusions(measured),
        Section("how", "How", "What was compared", how),
    ]
    write_page(
        out / "comparison.html",
        title=f"{first} beside {len(others)} others",
        subtitle=f"{measured.counts['scored']:,} cells by {bare_name(measured.label)}",
        sections=sections,
    )


def _confusions(measured: Measurements) -> Section | None:
    blocks = []
    for name in measured.confusions["embedding"].unique():
        figure = confusion_figure(measured.confusions, embedding=name)
        caption = f"{name}: rows are true classes, columns what their cells were taken for."
        alt = f"Squares of percentages: what {name} takes for what"
        picture = Picture(figure, caption, alt, name=f"confusion/{safe_name(name)}")
        blocks.append(Fold(str(name), [picture]))
    return Section("confusions", "Confusions", "What is taken for what", blocks) if blocks else None


def _compared(
    trained: Mapping[str, str], seeds: int, combined: Mapping[str, Sequence[str]]
) -> Table:
    """List what stands beside the baselines."""
    rows = [
        [name, f"trained, {seeds} seeds" if seeds > 1 else "trained", about]
        for name, about in trained.items()
    ]
    rows += [[name, "combined", " + ".join(parts)] for name, parts in combined.items()]
    return Table(["name", "made", "of"], rows)

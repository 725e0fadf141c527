"""Which classes an embedding gains and which it loses against others, in words and as a figure."""

from collections.abc import Hashable, Sequence
from pathlib import Path

import pandas as pd

from cellssl.phenotypes import differences_between
from cellssl.phenotypes.evaluation.metrics import TITLES
from cellssl.report.figures.class_differences import class_difference_figure
from cellssl.report.figures.style import save_figure
from cellssl.report.page import Block, Bullets, Picture, Section, Text
from cellssl.words import counted, listed, number

DRAWN = 60  # classes: with more a figure would be longer than a page


def classes_section(
    differences: pd.DataFrame, one: str, others: Sequence[str], *, folder: Path | None = None
) -> Section | None:
    """Build the section of what one embedding gains and loses; None where no class was scored.

    With a `folder` its figures, of however many classes, are files there too: for slides.
    """
    statements = class_statements(differences, one, others)
    if not statements:
        return None
    blocks: list[Block] = [Bullets(statements)]
    few = differences["class"].nunique() <= DRAWN
    for classifier in dict.fromkeys(differences["classifier"]):
        figure = class_difference_figure(differences, one, others, classifier=classifier)
        if folder is not None:
            save_figure(figure, folder / f"classes-{classifier}.png")
        caption = (
            f"Each row is a class, each panel another embedding: right of zero {one} finds more of "
            f"the class by {TITLES[classifier]}, left of it less. Hollow dots cannot be told from "
            "zero."
        )
        alt = f"Dots with intervals: difference in every class by {TITLES[classifier]}"
        blocks += [Picture(figure, caption, alt)] if few else []
    text = (
        "Differences of the share of a class’s cells that is found, with 95 % intervals over "
        "treatments (wells where there are few) and training seeds. They hold for all classes of a "
        "comparison at once, so that none of a dozen is claimed by chance; differences that are not "
        "claimed may exist all the same, the more so where two or three seeds were trained."
    )
    blocks.append(Text(text, tone="aside"))
    title = f"Which classes {one} gains and loses"
    return Section("classes", "Classes", title, blocks)


def class_statements(
    differences: pd.DataFrame, one: str, others: Sequence[str]
) -> list[tuple[str, str]]:
    """Say in words what one embedding gains and loses against each of the others.

    Parameters
    ----------
    differences : DataFrame
        `Measurements.class_differences`.
    one, others : str, sequence of str
        Those that were not compared are left out.

    Returns
    -------
    list of (str, str)
        What is compared by which classifier, and what was found.
    """
    own = differences[differences["subset"] == "all"]
    said = []
    for other in others:
        for classifier, table in differences_between(own, one, other).groupby(
            "classifier", sort=False
        ):
            head = f"{one} against {other}, {TITLES[str(classifier)]}:"
            said.append((head, _in_words(table)))
    return said


def _in_words(table: pd.DataFrame) -> str:
    """Name the classes that are told apart, the largest difference first; count the others."""
    apart = table[table["apart"].astype(bool)].sort_values("difference", key=abs, ascending=False)
    gains, losses = apart[apart["difference"] > 0], apart[apart["difference"] < 0]
    parts = [
        f"{verb} {listed([_difference(row) for row in rows.to_dict('records')])}"
        for verb, rows in (("gains on", gains), ("loses on", losses))
        if len(rows)
    ]
    if not parts:
        return "no class can be told apart."
    rest = len(table) - len(apart)
    others = "class" if rest == 1 else counted(rest, "class", "classes")
    ending = f"; the other {others} cannot be told apart" if rest else ""
    return ", ".join(parts) + ending + "."


def _difference(row: dict[Hashable, object]) -> str:
    value, low, high = (number(row[name]) for name in ("difference", "low", "high"))
    sign = "" if value.startswith("−") else "+"
    return f"{row['class']} ({sign}{value}, {low} to {high})"

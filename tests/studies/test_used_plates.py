"""A study's page on the plates whose labels weak trainings were given."""

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from cellssl.cli.application import app
from cellssl.errors import StudyError
from cellssl.phenotypes.evaluation.metrics import TITLES
from cellssl.studies import Outcome, Study, carry_out, load_study, score_study
from cellssl.studies.sections.used_plates import used_plates_section
from cellssl.words import number

WEAK = """
axes:
  positives:
    cell: {}
    treatment: {positives: {kind: same_treatment, plates: [P1]}}
seeds: 1
held_out: true
"""


@pytest.fixture(scope="module")
def weak(tiny_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    text = tiny_file.read_text()
    path = tmp_path_factory.mktemp("weak") / "weak.yaml"
    path.write_text(
        text[: text.index("axes:")] + WEAK + "label: MOA\nbaselines: [simple-features]\n"
    )
    return load_study(path)


@pytest.fixture(scope="module")
def folder(weak: Study, cells: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the weak study's runs lie, all finished."""
    out = tmp_path_factory.mktemp("carried") / "out"
    assert carry_out(weak, cells, out, device="cpu", progress=False) == {}
    return out


def test_a_report_shows_them_when_asked(cells: Path, folder: Path) -> None:
    command = ["study", "report", str(folder), str(cells), "--device", "cpu"]
    for more in ([], ["--used-plates"]):
        result = CliRunner().invoke(app, [*command, *more])
        assert result.exit_code == 0, result.output
        subsets = set(pd.read_csv(folder / "scores.csv")["subset"])
        page = (folder / "study.html").read_text()
        assert subsets == {"all", *(["used plates"] if more else [])}
        assert ("Where weak labels were used" in page) == bool(more)
    assert (folder / "scores-used-plates.png").stat().st_size > 10_000


def test_both_stand_in_a_row_with_what_is_more(weak: Study, cells: Path, folder: Path) -> None:
    outcome = score_study(weak, cells, folder, used_plates=True, device="cpu", progress=False)
    section = used_plates_section(outcome)
    assert section is not None
    rows = section.blocks[0].rows  # type: ignore[union-attr]
    scores = outcome.scores[outcome.scores["seed"] == "mean"]
    values = scores.set_index(["subset", "embedding", "metric"])["value"].sort_index()
    metrics = {title: metric for metric, title in TITLES.items()}
    assert {row[1] for row in rows} == {"AMI, k-means", "kNN", "linear"}
    assert len(rows) == 3 * scores["embedding"].nunique()
    for marked, title, *texts in rows:
        name, metric = marked.removesuffix(" †"), metrics[title]
        assert (marked != name) == (name == "treatment")
        for subset, value, more in (("all", *texts[:2]), ("used plates", *texts[2:])):
            own, first = values[subset, name, metric], values[subset, "cell", metric]
            assert value.startswith(f"{number(own, 3)} (")
            if name == "cell":
                assert more == ""
            else:
                told = float(more.split()[0].replace("−", "-"))
                assert told == pytest.approx(own - first, abs=6e-4)


def test_without_them_there_is_no_such_part(outcome: Outcome) -> None:
    assert used_plates_section(outcome) is None


def test_a_study_of_all_plates_has_none(tiny: Study, cells: Path, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="tiny does not score held-out plates"):
        score_study(tiny, cells, tmp_path, used_plates=True, device="cpu", progress=False)

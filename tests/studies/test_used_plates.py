"""A study's page on the plates whose labels weak trainings were given."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from cellssl.cli.application import app
from cellssl.studies import Outcome, Study, carry_out, load_study
from cellssl.studies.used_plates_section import used_plates_section

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


def test_a_report_shows_them_when_asked(weak: Study, cells: Path, tmp_path: Path) -> None:
    assert carry_out(weak, cells, tmp_path, device="cpu", progress=False) == {}
    command = ["study", "report", str(tmp_path), str(cells), "--device", "cpu"]
    for more in ([], ["--used-plates"]):
        result = CliRunner().invoke(app, [*command, *more])
        assert result.exit_code == 0, result.output
        subsets = set(pd.read_csv(tmp_path / "scores.csv")["subset"])
        page = (tmp_path / "study.html").read_text()
        assert subsets == {"all", *(["used plates"] if more else [])}
        assert ("Where weak labels were used" in page) == bool(more)
    assert (tmp_path / "scores-used-plates.png").stat().st_size > 10_000


def test_both_stand_in_a_row_with_their_gap(outcome: Outcome) -> None:
    own = outcome.scores[outcome.scores["subset"] == "all"]
    assert used_plates_section(outcome) is None
    used = own.assign(subset="used plates", value=own["value"] + 0.25)
    both = replace(outcome, scores=pd.concat([own, used], ignore_index=True))
    section = used_plates_section(both)
    assert section is not None
    rows = section.blocks[0].rows  # type: ignore[union-attr]
    assert {row[-1] for row in rows} == {"+0.250"}
    assert len(rows) == 3 * own["embedding"].nunique()

"""The commands around protocols, as they are typed."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cellssl.cli.application import app


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["protocols", *map(str, arguments)])


@pytest.fixture
def child(tmp_path: Path) -> Path:
    path = tmp_path / "child.yaml"
    path.write_text("name: child\nextends: bbbc021-expert\nremove: [flip]\npositives: same_well\n")
    return path


def test_show_says_what_surrounds_the_views(child: Path) -> None:
    shown = run("show", child).output
    assert "positives: same_well (weak supervision" in shown
    assert "training: simclr on resnet18" in shown
    assert "stain_gain" in shown


def test_show_writes_the_resolved_file(child: Path, tmp_path: Path) -> None:
    (tmp_path / "again.yaml").write_text(run("show", child, "--yaml").output)
    assert "are the same" in run("diff", child, tmp_path / "again.yaml").output


def test_diff_prints_a_table(child: Path) -> None:
    found = run("diff", "bbbc021-expert", child).output
    assert "positives" in found
    assert "flip" in found
    same = run("diff", "natural-moco", "natural-moco").output
    assert same == "natural-moco and natural-moco are the same\n"


def test_diff_tells_names_from_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "twin.yaml"
    path.write_text("name: twin\nextends: natural-moco\n")
    assert "are the same but for their names" in run("diff", "natural-moco", path).output


def test_schema_is_json() -> None:
    assert json.loads(run("schema").output)["title"] == "cellssl protocol"
    assert run("schema", "--quiet").output == run("schema").output  # it is what was asked for


def test_mistakes_are_told_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("name: wrong\nextends: bbbc021-expert\nremove: [flop]\n")
    result = run("check", path)
    assert result.exit_code == 1
    assert "wrong.yaml:3: remove: no inherited operation is called 'flop'" in result.output.replace(
        "\n", ""
    )

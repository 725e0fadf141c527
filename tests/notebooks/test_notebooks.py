"""The notebooks run from top to bottom, and are kept without outputs."""

import re
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
MINUTES = 15  # that one cell may take where others compute too: the whole notebook takes about one

needs_jupyter = "notebooks are run by nbclient with ipykernel: pip install 'cellssl[notebooks]'"


def read(path: Path):
    nbformat = pytest.importorskip("nbformat", reason=needs_jupyter)
    return nbformat.read(path, as_version=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all: plates that a notebook simulated are there for the next, as for a reader."""
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A kernel of the interpreter that runs the tests, whatever else is installed on this machine."""
    pytest.importorskip("nbclient", reason=needs_jupyter)
    pytest.importorskip("ipykernel", reason=needs_jupyter)
    from ipykernel.kernelspec import install
    from jupyter_client.kernelspec import KernelSpecManager

    install(prefix=str(tmp_path), kernel_name="tests")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share" / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))  # not the settings of whoever tests
    # A kernel starts in the notebook's folder: it must find the package that the tests test.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    assert KernelSpecManager().get_kernel_spec("tests").argv[0] == sys.executable
    return "tests"


def test_there_are_four():
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs(path: Path, folder: Path, kernel: str):
    from nbclient import NotebookClient

    notebook = read(path)
    NotebookClient(
        notebook,
        kernel_name=kernel,
        timeout=60 * MINUTES,
        resources={"metadata": {"path": str(folder)}},
    ).execute()
    outputs = [one for cell in notebook.cells for one in cell.get("outputs", [])]
    assert sum("image/png" in one.get("data", {}) for one in outputs) >= 3
    told = ("Warning", "was shown these cells otherwise")  # no unfair comparison, above all
    warned = [one["text"] for one in outputs if any(text in one.get("text", "") for text in told)]
    assert not warned  # a reader would see them


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_kept_without_outputs(path: Path):
    notebook = read(path)
    for cell in notebook.cells:
        assert not cell.get("outputs"), f"{cell.id} has outputs: clear them before committing"
        assert cell.get("execution_count") is None
        assert set(cell.metadata) == set()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_another_plate_changes_stands_in_the_first_cell_alone(path: Path):
    first, *others = [cell.source for cell in read(path).cells if cell.cell_type == "code"]
    named = dict(re.findall(r"^(\w+) = (.+?)  #", first, re.MULTILINE))
    assert {"images", "layout", "metadata", "label", "protocol_name"} <= set(named)
    rest = "\n".join([first.rpartition("  #")[2], *others])
    for name in ("layout", "label", "protocol_name"):
        assert name in rest
        assert named[name] not in rest


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_lead_to_notebooks(path: Path):
    text = path.read_text(encoding="utf-8")
    linked = re.findall(r"\]\(([^)]+\.ipynb)\)", text)
    assert all((path.parent / name).is_file() for name in linked)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_have_stable_names(path: Path):
    names = [cell.id for cell in read(path).cells]
    assert names == [f"{path.stem[:2]}-{number:02d}" for number in range(1, len(names) + 1)]


def test_gains_have_the_colours_of_the_figures():
    """Those that `tests/report/test_study_figures.py` holds the figures to."""
    words = " ".join(cell.source for path in NOTEBOOKS for cell in read(path).cells)
    told = re.findall(r"(Orange|Violet) gains[^.]*, (\w+) loses", words)
    assert told == [("Orange", "violet")] * 2
    assert "negative correlation (violet)" in words
    assert "An orange row would be a free lunch" in words

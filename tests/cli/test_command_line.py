import builtins
import errno
import io
import os
import signal
import subprocess
import sys

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

import cellssl
from cellssl.cli import main, results, shell
from cellssl.cli.application import app
from cellssl.cli.options import parse_lists
from cellssl.cli.profiles import _show_consistency
from cellssl.crops import CropBatch, write_crops
from cellssl.errors import CellsslError, StoppedError

runner = CliRunner()


def _run(*arguments):
    return runner.invoke(app, [str(argument) for argument in arguments])


def test_version_and_help():
    assert cellssl.__version__ in _run("--version").output
    told = _run("--help").output
    for command in ("run", "demo", "crop", "train", "embed", "evaluate", "compare", "doctor"):
        assert command in told
        assert _run(command, "--help").exit_code == 0


def test_options_that_belong_together_stand_together_in_the_help():
    lines = _run("crop", "--help").output.splitlines()
    (files,) = (n for n, line in enumerate(lines) if "How a plate's folder is read" in line)
    (cells,) = (n for n, line in enumerate(lines) if "How cells are found" in line)
    (crops,) = (n for n, line in enumerate(lines) if "How fields become crops" in line)
    at = {
        name: next(n for n, line in enumerate(lines) if f" {name} " in line)
        for name in ("--out", "--layout", "--diameter", "--binning")
    }
    assert at["--out"] < files < at["--layout"] < cells < at["--diameter"] < crops < at["--binning"]


def test_commands_stand_in_the_order_of_the_work():
    told = _run("--help").output
    parts = (
        "From a plate to its report",
        "One stage",
        "Answers from",
        "Which protocol",
        "comes in",
    )
    commands = ("run", "crop", "evaluate", "similarity", "export", "compare", "study", "plates")
    for names in (parts, [f"│ {name} " for name in commands]):
        at = [told.index(name) for name in names]
        assert at == sorted(at)


def test_the_help_says_in_plain_words_what_options_take(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    options = _run("crop", "--help").output.partition("─ Options")[2]
    assert not {"<str>", "<list[str]>", "<path>", "<int range>"} & set(options.split())
    assert "'masks/{plate}/{well}_{site}.tif'" in options  # an example to copy is not cut
    (size,) = (line for line in options.splitlines() if " --size " in line)
    assert size.split()[1:4] == ["--size", "x", "[x>=8]"]
    told = _run("study", "run", "--help").output.replace("│", " ")
    assert "(default: those that the study names)" in " ".join(told.split())


def test_the_nearest_of_each_treatment_are_shown_without_their_rank(tmp_path):
    random = np.random.default_rng(0)
    wells = [f"{row}{column:02}" for row in "ABCD" for column in range(1, 7)]
    obs = pd.DataFrame(
        {
            "Metadata_Plate": "P1",
            "Metadata_Well": wells,
            "Metadata_Compound": [f"drug{n % 4}" for n in range(len(wells))],
        },
        index=wells,
    )
    cells = ad.AnnData(random.normal(size=(len(wells), 8)).astype(np.float32), obs=obs)
    cells.uns["cellssl"] = {"name": "mine"}
    cells.write_h5ad(tmp_path / "wells.h5ad")
    arguments = ("similarity", tmp_path / "wells.h5ad", "-o", tmp_path / "alike")
    assert "rank" not in _run(*arguments).output.partition("Nearest treatment")[2]
    assert "did you mean 'drug1'?" in _run(*arguments, "--treatment", "drg1").output
    assert "there are drug0, drug1, drug2" in _run(*arguments, "--treatment", "x").output
    named = _run(*arguments, "--treatment", "drug1").output
    assert "rank" in named.partition("Neighbours")[2]


def test_help_does_not_wait_for_torch_or_scanpy():
    code = (
        "import sys, cellssl.cli.application\n"
        "print(sorted({'torch', 'scanpy', 'anndata', 'pandas', 'matplotlib'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("alphabet", ["ascii", "latin-1"])
def test_a_terminal_of_another_alphabet_is_written_to(monkeypatch, alphabet):
    screen = io.TextIOWrapper(io.BytesIO(), encoding=alphabet)
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(sys, "argv", ["cellssl", "run", "--help"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    screen.flush()
    assert b"resnet18?101" in screen.buffer.getvalue()


def test_crops_on_disks_that_cannot_lock_are_read(monkeypatch):
    monkeypatch.delenv("HDF5_USE_FILE_LOCKING", raising=False)
    monkeypatch.setattr(os, "environ", {**os.environ})  # what is set here is gone with the test
    monkeypatch.setattr(sys, "argv", ["cellssl", "--version"])
    with pytest.raises(SystemExit):
        main()
    assert os.environ["HDF5_USE_FILE_LOCKING"] == "FALSE"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("crop", "{}", "-o", "{}/out"), "holds no TIFF or PNG files"),
        (("crop", "{}", "-o", "{}/out", "--segmenter", "magic"), "threshold, cellpose, labels"),
        (("crop", "{}/c.h5ad", "-o", "{}/out"), "is not a folder"),
        (
            ("crop", "{}", "-o", "{}/a", "--metadata", "{}/p.csv", "--metadata", "{}/p.csv"),
            "2 times",
        ),
        (("train", "{}/c.h5ad", "-p", "bbbc021-exprt", "-o", "{}/out"), "bbbc021-expert"),
        (("embed", "{}/c.h5ad", "-m", "random", "-o", "{}/e", "--orientations", "3"), "wanted 1 ("),
        (("evaluate", "{}/c.h5ad", "-o", "{}/x.csv"), "x.csv is called like a file"),
        (("similarity", "{}/c.h5ad", "-o", "{}/x.csv"), "x.csv is called like a file"),
        (("explore", "{}/c.h5ad", "-o", "{}"), "wanted a name ending in .html"),
        (("study", "audit", "x", "{}/c.h5ad", "-o", "{}/x.csv"), "x.csv is called like a file"),
        (("protocols", "audit", "natural-moco", "{}/c.h5ad", "-o", "{}/x.csv"), "like a file"),
        (("protocols", "invariances", "{}", "{}/c.h5ad", "-o", "{}/x.csv"), "like a file"),
        (("protocols", "suggest", "{}/c.h5ad", "--label", "MOA", "-o", "{}"), "is a folder, but a"),
        (("run", "{}/c.h5ad", "-o", "{}/out"), "--protocol"),
        (("run", "{}/c.h5ad", "-o", "{}/out", "-p", "natural-moco", "-m", "y"), "not both"),
        (("protocols", "show", "natural"), "natural-moco"),
        (("train", "p.yaml", "-p", "natural-moco", "-o", "{}/o"), "is a protocol's name or file"),
        (
            ("run", "{}/c.h5ad", "-o", "{}/out", "-p", "natural-moco", "--diameter", "9"),
            "do not apply",
        ),
        (("run", "{}/p.csv", "-o", "{}/out", "-p", "natural-moco", "--moa", "{}/p.csv"), "already"),
        (("train", "{}/c.h5ad", "-o", "{}/o", "-p", "natural-moco", "--set", "a=["), "is no value"),
    ],
)
def test_mistakes_end_in_one_line_and_a_failing_status(tmp_path, arguments, said):
    (tmp_path / "c.h5ad").touch()
    (tmp_path / "p.csv").write_text("Metadata_Plate,Metadata_Well,Metadata_Site,Path_DNA\n")
    result = _run(*(part.format(tmp_path) for part in arguments))
    assert result.exit_code == 1
    assert said in result.output.replace("\n", " ")
    assert "Traceback" not in result.output
    assert "fault of cellssl" not in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "{}/none", "-o", "{}/out", "-p", "natural-moco"),
        ("run", "{}", "-o", "{}/out"),
        ("crop", "{}/none", "-o", "{}/out"),
        ("plates", "index", "{}/none"),
        ("train", "{}/none.h5ad", "-p", "natural-moco", "-o", "{}/out"),
        ("embed", "{}/none.h5ad", "-m", "random", "-o", "{}/e.h5ad"),
        ("embed", "-m", "resnet18", "{}", "--weights", "{}/none.pth", "-o", "{}/e.h5ad"),
        ("evaluate", "{}/none.h5ad", "-o", "{}/out"),
        ("combine", "a={}/none.h5ad", "-o", "{}/e.h5ad"),
        ("explore", "{}/none.h5ad"),
        ("explore", "--crops", "{}/none.h5ad", "{}"),
        ("study", "run", "bbbc021-methods", "{}/none.h5ad", "-o", "{}/out"),
        ("study", "status", "{}/none"),
        ("protocols", "check", "natural-moco", "{}/none.h5ad"),
        ("protocols", "preview", "natural-moco", "{}/none.h5ad"),
        ("protocols", "invariances", "{}/none", "{}"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_loaded(tmp_path, monkeypatch, arguments):
    usual = builtins.__import__

    def load(name, *others):
        assert not name.startswith("cellssl."), f"{name} was loaded first"
        return usual(name, *others)

    monkeypatch.setattr(builtins, "__import__", load)
    result = _run(*(part.format(tmp_path) for part in arguments))
    assert result.exit_code == 1
    told = " ".join(result.output.split())
    assert told.startswith("error: ")
    assert ("give --protocol NAME" if arguments[1] == "{}" else "does not exist") in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("evaluate {}/no cells.csv -o {}/out", "no cells.csv holds no cells: there are names of"),
        ("similarity {}/no cells.csv -o {}/out", "no cells.csv holds no cells: there are names of"),
        ("protocols audit natural-moco {}/none.h5ad --label MOA", "audit needs some dozens of"),
        ("protocols suggest {}/none.h5ad --label MOA -o {}/s.yaml", "audit needs some dozens of"),
        ("protocols preview natural-moco {}/none.h5ad -o {}/p.png", "there is nothing to preview"),
        ("train {}/none.h5ad -p natural-moco -o {}/run", "hold no cells: nothing can be trained"),
        ("compare {}/none.h5ad -p natural-moco --label MOA -o {}/c", "there are no cells to score"),
    ],
)
def test_tables_and_crops_without_cells_are_told(tmp_path, arguments, told):
    (tmp_path / "no cells.csv").write_text("Metadata_Plate,Metadata_MOA,f1\n")
    obs = pd.DataFrame(columns=["Metadata_Plate", "Metadata_Well", "Metadata_MOA"], dtype=str)
    pixels = np.zeros((0, 3, 64, 64), np.uint16)
    write_crops(
        tmp_path / "none.h5ad",
        iter([CropBatch(pixels, None, obs)]),
        channels=("DAPI", "Tubulin", "Actin"),
        size=64,
        provenance={"segmenter": {"name": "import", "settings": {}}},
    )
    parts = arguments.replace("no cells", "no+cells").split()
    result = _run(*(part.replace("+", " ").format(tmp_path) for part in parts))
    assert result.exit_code == 1
    assert told in " ".join(result.output.split())


def test_debug_shows_the_traceback(tmp_path):
    (tmp_path / "none.h5ad").touch()
    result = _run("embed", tmp_path / "none.h5ad", "-m", "random", "-o", tmp_path / "e", "--debug")
    assert result.exit_code == 1
    assert "Traceback" in result.output


def test_ctrl_c_while_modules_load_shows_no_traceback(monkeypatch):
    class Pressed:
        @property
        def app(self):
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "cellssl.cli.application", Pressed())
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 130


def test_numbers_keep_their_signs_on_a_terminal_of_another_alphabet():
    wrong = "['cellssl', 'protocols', 'show', '−0.1–0.2 ± µ']"
    code = f"import sys; from cellssl.cli import main; sys.argv = {wrong}; main()"
    plain = {**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "200"}
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=plain)
    assert "-0.1-0.2 ? ?" in told.stderr


def test_a_command_ends_without_looking_for_garbage():
    code = (
        "import sys\n"
        "from cellssl.cli import main\n"
        "class Cycle:\n"
        "    def __init__(self): self.own = self\n"
        "    def __del__(self): print('looked')\n"
        "cycle = Cycle()\n"
        "sys.argv = ['cellssl', '--version']\n"
        "main()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert cellssl.__version__ in ended.stdout
    assert "looked" not in ended.stdout + ended.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGHUP")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("ctrl_c", [signal.default_int_handler, signal.SIG_IGN])
def test_a_scheduler_and_a_closed_terminal_stop_a_command_as_ctrl_c_does(name, ctrl_c):
    own = typer.Typer()

    @shell.command(own, "wait")
    def wait() -> None:
        signal.raise_signal(getattr(signal, name))

    number = getattr(signal, name)
    usual = signal.signal(number, signal.SIG_DFL)  # under nohup it is ignored
    before = signal.signal(signal.SIGINT, ctrl_c)  # a shell's background job ignores it
    try:
        result = runner.invoke(own)
        assert signal.getsignal(signal.SIGINT) == ctrl_c
    finally:
        signal.signal(signal.SIGINT, before)
        signal.signal(number, usual)
    assert result.exit_code == 128 + number
    assert f"stopped by {name}; the same command again goes on" in result.output.replace("\n", " ")


def test_a_training_that_a_scheduler_stopped_ends_as_any_command_does():
    own = typer.Typer()

    @shell.command(own, "train")
    def train() -> None:
        raise StoppedError("saved at step 8", signal.SIGUSR1)

    result = runner.invoke(own)
    assert result.exit_code == 128 + signal.SIGUSR1
    assert "saved at step 8" in result.output


def test_quiet_says_nothing(tmp_path):
    result = _run("protocols", "check", "bbbc021-expert", "--quiet")
    assert (result.exit_code, result.output) == (0, "")


def test_protocols_are_listed_shown_and_checked():
    listed = _run("protocols", "list").output
    assert "bbbc021-expert" in listed
    shown = _run("protocols", "show", "bbbc021-expert").output
    assert "rotate" in shown
    assert "a cell has no preferred orientation" in shown
    assert _run("protocols", "check", "bbbc021-expert").exit_code == 0


def test_public_functions_carry_the_commands_names():
    for name in ("crop", "train", "embed", "evaluate", "compare", "run", "demo", "doctor", "index"):
        assert callable(getattr(cellssl, name))
    with pytest.raises(AttributeError, match="attribute cropp"):
        cellssl.cropp  # noqa: B018


def test_weak_labels_are_marked_beside_the_scores(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"label": "MOA", "subset": "all", "metric": "knn", "value": 0.5, "low": 0.4, "high": 0.6}
    row |= {"seed": "mean", "note": "1 of 4 classes cannot be found, in one group only: Rare"}
    table = [{**row, "embedding": name, "weak": name == "b"} for name in "ab"]
    results.show_scores(pd.DataFrame(table))
    told = capsys.readouterr().out
    assert told.count("Rare") == 1
    assert "b †" in told
    assert "a †" not in told
    assert "† trained with other cells of the same well or treatment" in told


def test_doubts_of_a_score_are_said_beneath(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"label": "Dose", "subset": "all", "metric": "knn", "value": 0.1, "low": 0.0, "high": 0.2}
    note = (
        "apart by plates, every group holds one class alone: what tells groups passes for the label"
    )
    table = [
        {**row, "seed": "mean", "embedding": name, "weak": False, "note": note} for name in "ab"
    ]
    results.show_scores(pd.DataFrame(table))
    assert " ".join(capsys.readouterr().out.split()).endswith(note)


def test_a_score_that_is_missing_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"label": "MOA", "subset": "all", "low": 0.4, "high": 0.6, "seed": "mean", "weak": False}
    row |= {"embedding": "a", "note": "no class lies in two plates"}
    scores = {"knn": float("nan"), "linear": float("nan"), "ami_kmeans": 0.5}
    results.show_scores(pd.DataFrame([{**row, "metric": m, "value": v} for m, v in scores.items()]))
    told = " ".join(capsys.readouterr().out.split())
    assert told.endswith("no kNN, linear: no class lies in two plates")


def test_where_nothing_is_scored_the_reason_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"label": "MOA", "subset": "all", "low": 0.4, "high": 0.6, "seed": "mean", "weak": False}
    row |= {"embedding": "a", "note": "6 cells of 2 classes are too few", "value": float("nan")}
    results.show_scores(pd.DataFrame([{**row, "metric": m} for m in ("ami_kmeans", "knn")]))
    told = " ".join(capsys.readouterr().out.split())
    assert told.endswith("kNN: 6 cells of 2 classes are too few")


def test_a_class_with_a_comma_is_named_in_quotes():
    assert parse_lists(['x=DMSO, "a, b"', "y=c,d e"], "--subset") == {
        "x": ["DMSO", "a, b"],
        "y": ["c", "d e"],
    }


def test_embeddings_of_one_name_are_told_apart_by_names_in_front(tmp_path):
    rng = np.random.default_rng(0)
    wells = [f"A{1 + i // 10:02d}" for i in range(120)]
    obs = pd.DataFrame(
        {
            "Metadata_Plate": "P",
            "Metadata_Well": wells,
            "Metadata_MOA": np.where(np.arange(120) // 10 % 2, "x", "y"),
        },
        index=[f"P/{well}/1/{i}" for i, well in enumerate(wells)],
    )
    files = []
    for place in "ab":
        cells = ad.AnnData(rng.normal(size=(120, 4)).astype(np.float32), obs=obs)
        cells.uns["cellssl"] = {"name": "cellssl", "seed": 0}
        (tmp_path / place).mkdir()
        files.append(tmp_path / place / "map.h5ad")
        cells.write_h5ad(files[-1])
    out = tmp_path / "out"
    refused = _run("evaluate", *files, "-o", out)
    assert refused.exit_code == 1
    assert "NAME=FILE" in refused.output
    assert _run("evaluate", f"old={files[0]}", f"new={files[1]}", "-o", out).exit_code == 0
    scores = pd.read_csv(out / "scores.csv")
    assert {"old", "new"} <= set(scores["embedding"])
    together = _run("combine", f"old={files[0]}", f"new={files[1]}", "-o", tmp_path / "both.h5ad")
    assert together.exit_code == 0
    missing = _run("evaluate", f"old={tmp_path}/none.h5ad", "-o", out)
    assert "none.h5ad does not exist" in missing.output.replace("\n", " ")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "out/map.h5ad"),
            "no space is left on the disk for out/map.h5ad. What is finished is kept: make room",
        ),
        (
            MemoryError("Unable to allocate 9 GiB"),
            "too many threads (Unable to allocate 9 GiB). Close",
        ),
        (
            RuntimeError("can't start new thread"),
            "too many threads (can't start new thread). Close",
        ),
        (
            UnicodeEncodeError(
                "utf-8", "name,at\nB02,t\udce9/B02.tif", 13, 14, "surrogates not allowed"
            ),
            r"a name that is not UTF-8 (b't\xe9/B02.tif'), as from",
        ),
        (
            RuntimeError(
                "cannot cache function 'mean_var': no locator available for file 'utils.py'"
            ),
            "Name one that can: export NUMBA_CACHE_DIR=/tmp/numba",
        ),
    ],
)
def test_what_the_machine_lacks_is_told_with_what_to_do(tmp_path, monkeypatch, error, words):
    def fill(*_, **__):
        raise error

    monkeypatch.setattr("cellssl.phenotypes.read_embedding", fill)
    (tmp_path / "e.h5ad").touch()
    result = _run("cluster", tmp_path / "e.h5ad", "-o", tmp_path / "out")
    assert result.exit_code == 1
    said = " ".join(result.output.split())
    assert words in said


@pytest.mark.parametrize("quiet", [True, False])
def test_a_quiet_command_clusters_without_a_bar(tmp_path, monkeypatch, quiet):
    def cluster(_, *, progress: bool, **__):
        raise CellsslError(f"progress {progress}")

    monkeypatch.setattr("cellssl.phenotypes.read_embedding", lambda _: ad.AnnData(np.ones((2, 2))))
    monkeypatch.setattr("cellssl.phenotypes.cluster", cluster)
    (tmp_path / "e.h5ad").touch()
    result = _run("cluster", tmp_path / "e.h5ad", "-o", tmp_path / "out", *["-q"] * quiet)
    assert f"progress {not quiet}" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["protocols", "show", "bbbc021-expart"], "did you mean 'bbbc021-expert'?"),
        (["train", "{}", "-p", "nosuch", "-o", "run"], "no protocol is called 'nosuch'"),
        (["compare", "{}", "-p", "natural-moco", "-p", "x.yaml", "-o", "o"], "x.yaml does not"),
        (["plates", "index", ".", "--metadata", "no.csv", "-o", "p.csv"], "no.csv does not exist"),
        (["run", ".", "--moa", "no.csv", "-o", "out"], "no.csv does not exist"),
        (["train", "cell-cycle", "-p", "cell-cycle", "-o", "out"], "give it as --protocol"),
    ],
)
def test_names_that_are_not_there_are_told_before_anything_is_loaded(arguments, message, tmp_path):
    crops = tmp_path / "crops.h5ad"
    crops.touch()
    code = (
        "import sys; from typer.testing import CliRunner; from cellssl.cli.application import app; "
        "told = CliRunner().invoke(app, sys.argv[1:]).output; "
        "print(' '.join(told.split()), {'torch', 'pandas', 'anndata'} & set(sys.modules))"
    )
    given = [argument.format(crops) for argument in arguments]
    said = subprocess.run(
        [sys.executable, "-c", code, *given], capture_output=True, text=True, check=True
    ).stdout
    assert message in said
    assert said.strip().endswith("set()")


def test_a_genetic_screens_labels_do_not_fill_the_terminal(capsys) -> None:
    numbers = dict.fromkeys(("map", "map_by_chance", "map_p_value", "map_q_value"), 0.5)
    table = pd.DataFrame(
        {"treatments": 4, "agents": 4} | numbers, index=[f"G{i}" for i in range(5000)]
    )
    _show_consistency(table)
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) < 60
    assert "4,960 more in consistency.csv" in printed


@pytest.mark.parametrize(
    ("commands", "option"),
    [(("run", "crop"), "--size"), (("run", "crop", "crops join", "explore"), "--channel")],
)
def test_one_thing_has_one_name_in_every_command(commands, option, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    for command in commands:
        told = _run(*command.split(), "--help").output.split()
        assert option in told
        assert not {"--crop-size", "--channels"} & set(told)

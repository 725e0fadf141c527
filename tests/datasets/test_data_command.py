"""The commands ``cellssl data``."""

import gzip
import hashlib
import struct
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from cellssl.cli.application import app
from cellssl.crops import Crops

from .server import serve, write_manifest

DIGITS = gzip.compress(struct.pack(">4B3I", 0, 0, 8, 3, 6, 28, 28) + bytes(range(98)) * 48)
LABELS = gzip.compress(struct.pack(">4BI", 0, 0, 8, 1, 6) + bytes(range(6)))


def run(*arguments):
    return CliRunner().invoke(app, ["data", *map(str, arguments)])


@pytest.fixture
def digits(tmp_path):
    with serve() as site:
        files = [
            {"addresses": [site.put("t10k-images-idx3-ubyte.gz", DIGITS)], "size": len(DIGITS)},
            {
                "addresses": [site.put("t10k-labels-idx1-ubyte.gz", LABELS)],
                "checksum": f"md5:{hashlib.md5(LABELS).hexdigest()}",
            },
        ]
        use = ["cellssl crops images FOLDER -o digits.h5ad"]
        yield write_manifest(tmp_path, {"test": files}, use=use)


def test_list_names_all_and_what_is_there(tmp_path):
    result = run("list", "-o", tmp_path)
    assert result.exit_code == 0
    for name in (
        "bbbc021",
        "cifar10",
        "cifar100",
        "imagenet-resnets",
        "mnist",
        "170 MB",
        "CC BY-SA",
    ):
        assert name in result.output
    shown = run("list", "mnist").output
    assert "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873" in shown.replace("\n", "")
    assert "Gradient-based learning" in shown


def test_what_was_got_becomes_crops(tmp_path, digits):
    out = tmp_path / "my digits"
    result = run("get", digits, "-o", out)
    assert result.exit_code == 0, result.output
    flat = result.output.replace("\n", " ")
    assert "2 files got, 0 were there" in flat
    assert "no full checksum is published for t10k-images-idx3-ubyte.gz" in flat
    assert "t10k-labels" not in flat.split("no full checksum")[1].split("licence:")[0]
    assert "licence: CC0" in flat
    assert "cite: Nobody, 2020" in flat
    assert f"use it: cellssl crops images '{out}' -o digits.h5ad" in flat
    assert run("verify", digits, "-o", out).exit_code == 0
    made = CliRunner().invoke(app, ["crops", "images", str(out), "-o", str(tmp_path / "d.h5ad")])
    assert made.exit_code == 0, made.output
    assert len(Crops.open(tmp_path / "d.h5ad")) == 6


def test_verify_ends_with_1_and_the_list_even_when_quiet(tmp_path, digits):
    run("get", digits, "-o", tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(b"")
    for flags in ((), ("--quiet",)):
        result = run("verify", digits, "-o", tmp_path, *flags)
        assert result.exit_code == 1
        assert "1 of 2 files are not what they should be" in result.output
        assert "mend it: rm " in result.output


def test_mistakes_end_in_one_line(tmp_path):
    for arguments, said in (
        (("get", "mnst", "-o", tmp_path), "did you mean 'mnist'?"),
        (("get", "mnist", "-o", tmp_path, "--part", "tset"), "did you mean 'test'?"),
        (("verify", "mnist", "-o", tmp_path), "nothing of mnist is in"),
        (("list", "mnst"), "did you mean 'mnist'?"),
    ):
        result = run(*arguments)
        assert result.exit_code == 1
        assert said in result.output.replace("\n", " ")
        assert "fault of cellssl" not in result.output


def test_list_says_how_much_of_a_data_set_is_there(tmp_path, monkeypatch, digits):
    from cellssl.datasets.downloads import reading

    monkeypatch.setattr(reading, "MANIFESTS", digits.parent)
    assert run("get", "test", "-o", tmp_path / "data" / "test").exit_code == 0
    monkeypatch.chdir(tmp_path)
    assert "data/test: 2 of 2 files" in run("list").output
    (tmp_path / "data" / "test" / "t10k-labels-idx1-ubyte.gz").unlink()
    assert "data/test: 1 of 2 files" in run("list").output


def test_the_commands_do_not_wait_for_torch():
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from cellssl.cli.application import app\n"
        "assert CliRunner().invoke(app, ['data', 'list']).exit_code == 0\n"
        "print(sorted({'torch', 'scanpy', 'anndata', 'pandas', 'pooch', 'requests'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"

"""Verifying: everything that is wrong is found, nothing is changed, and how to mend it is right."""

import hashlib
import shlex
import subprocess

import pytest
from typer.testing import CliRunner

from cellssl.cli.application import app
from cellssl.datasets import get_data, verify_data
from cellssl.errors import DataError

from .makers import write_zip
from .server import serve, write_manifest


@pytest.fixture
def got(tmp_path):
    """A manifest of two parts, its server, and the folder where all of it lies."""
    with serve() as site:
        moa = b"x" * 99
        archive = write_zip(
            tmp_path / "made" / "p.zip", {f"{n}.tif": b"%d" % n * 500 for n in range(5)}
        )
        parts = {
            "table": [
                {"addresses": [site.put("wells.csv", b"Well\nA01\n")]},
                {"addresses": [site.put("moa.csv", moa)], "checksum": "md5:" + hashlib.md5(moa).hexdigest()},
            ],
            "plate": [{"addresses": [site.put("p.zip", archive.read_bytes())], "unpack": "plate"}],
        }  # fmt: skip
        manifest, out = write_manifest(tmp_path, parts), tmp_path / "my out"
        get_data(manifest, out)
        yield manifest, out


def problems(manifest, out, **how):
    return {
        f.path.relative_to(out).as_posix(): f.problem
        for f in verify_data(manifest, out, **how).findings
    }


def test_all_is_right(got):
    verified = verify_data(*got)
    assert (verified.checked, verified.findings, verified.notes) == (7, [], [])


def test_everything_wrong_is_found_and_the_command_said_mends_it(got):
    manifest, out = got
    (out / "wells.csv").write_bytes(b"Well\nA02\n")
    (out / "moa.csv").unlink()
    (out / "plate" / "1.tif").write_bytes(b"1" * 499 + b"2")
    (out / "plate" / "2.tif").write_bytes(b"2")
    (out / "plate" / "3.tif").unlink()
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    found = problems(manifest, out)
    assert found.keys() == {"wells.csv", "moa.csv", "plate/1.tif", "plate/2.tif", "plate/3.tif"}
    assert "recorded at its first download" in found["wells.csv"]
    assert found["moa.csv"] == found["plate/3.tif"] == "is missing"
    assert "has sha256" in found["plate/1.tif"]
    assert found["plate/2.tif"] == "has 1 bytes, recorded are 500"
    assert before == {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    for finding in verify_data(manifest, out).findings:
        said = finding.mend.removeprefix("mend it: ")
        *remove, again = said.split(" && ")
        for line in remove:
            subprocess.run(shlex.split(line), check=True)
        _, *arguments = shlex.split(again)
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
    assert problems(manifest, out) == {}


def test_a_published_checksum_is_held_against_too(got):
    manifest, out = got
    (out / "moa.csv").write_bytes(b"y" * 99)
    assert "has md5" in problems(manifest, out)["moa.csv"]


def test_only_what_was_begun_must_be_there_unless_it_is_named(got, tmp_path):
    manifest, _ = got
    out = tmp_path / "other"
    get_data(manifest, out, parts=["table"])
    verified = verify_data(manifest, out)
    assert (verified.checked, verified.findings) == (2, [])
    assert verified.notes == ["1 of 2 parts are not here: plate"]
    assert problems(manifest, out, parts=["plate"]) == {"p.zip": "is missing"}
    assert problems(manifest, out, parts=["*"]) == {"p.zip": "is missing"}


def test_an_empty_folder_is_told(got, tmp_path):
    with pytest.raises(DataError, match=r"nothing of test is in .*: get it with `cellssl data get"):
        verify_data(got[0], tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_what_is_half_downloaded_is_told(got):
    manifest, out = got
    (out / ".downloading").mkdir()
    (out / ".downloading" / "p.zip.part").write_bytes(b"1")
    assert verify_data(manifest, out).notes == [
        "half downloaded (`cellssl data get` goes on): p.zip"
    ]

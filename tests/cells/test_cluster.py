"""Fields on a Dask cluster: here one of processes on this machine."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cellssl.cells import cluster
from cellssl.errors import CropError
from cellssl.files import sha256

from .examples import run


@pytest.fixture
def scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A scheduler with two workers, each a process of its own."""
    here = Path(__file__).parent  # for deadly.py; and the workers shall run the cellssl tested here
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(here), str(here.parents[1])]))
    file = tmp_path / "scheduler.json"
    common = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file)]
    with (tmp_path / "dask.log").open("w") as log:
        started = [
            subprocess.Popen(
                [
                    *(sys.executable, "-m", "distributed.cli.dask_scheduler"),
                    *("--host", "127.0.0.1", "--port", "0", "--no-dashboard"),
                    *("--scheduler-file", str(file)),
                ],
                stderr=log,
                stdout=log,
                start_new_session=True,
            )
        ]
        started += [
            subprocess.Popen(
                [*common, "--nworkers", "1", "--nthreads", "1", "--no-dashboard"],
                cwd=tmp_path,
                stderr=log,
                stdout=log,
                start_new_session=True,
            )
            for _ in range(2)
        ]
        try:
            yield address_in(file, tmp_path / "dask.log")
        finally:
            for process in started:
                os.killpg(process.pid, signal.SIGKILL)  # nannies and their workers too
                process.wait(20)


def address_in(file: Path, log: Path) -> str:
    """Wait until a scheduler has written its file to the end; that it is there says no more than that it began."""
    deadline = time.monotonic() + 60
    while not (file.exists() and file.read_text().rstrip().endswith("}")):
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    return json.loads(file.read_text())["address"]


def test_a_cluster_gives_the_same_crops_though_a_worker_is_killed(
    make_plate, tmp_path, scheduler, monkeypatch
):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    from deadly import KilledOnce

    index = make_plate(17)
    expected = run(index, tmp_path / "here")
    report = run(index, tmp_path / "there", scheduler=scheduler)
    assert sha256(report.crops) == sha256(expected.crops)
    survived = run(
        index,
        tmp_path / "killed",
        segmenter=KilledOnce(str(tmp_path / "flag")),
        scheduler=scheduler,
    )
    assert (tmp_path / "flag").exists()
    assert sha256(survived.crops) == sha256(expected.crops)


def test_no_scheduler_is_an_error_that_says_how_to_start_one(make_plate, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "_TIMEOUT", "1s")
    with pytest.raises(CropError, match="dask worker tcp"):
        run(make_plate(2), tmp_path / "out", scheduler="tcp://127.0.0.1:1")


@pytest.mark.parametrize("address", ["localhost", "tcp:/127.0.0.1:8786", "tcp://127.0.0.1:87x"])
def test_what_is_no_address_is_refused_and_leaves_the_folder_free(make_plate, tmp_path, address):
    index = make_plate(2)
    with pytest.raises(CropError, match=r"is no address of a Dask scheduler .*tcp://HOST:8786"):
        run(index, tmp_path / "out", scheduler=address)
    assert run(
        index, tmp_path / "out", size=24
    ).kept  # other settings, but no cells of those before

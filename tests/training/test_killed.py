"""Kill −9 at a random moment, and go on."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import torch

from cellssl import methods
from cellssl.training import load_checkpoint


@pytest.fixture(scope="module")
def ask(tiny: ModuleType) -> Iterator[Callable[..., int]]:
    """Have a run started in a process of its own, FOLDER METHOD → number; or waited for, number → status."""
    command = [sys.executable, str(tiny.__file__)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:

        def ask(*words: object) -> int:
            server.stdin.write(" ".join(map(str, words)) + "\n")
            server.stdin.flush()
            return int(server.stdout.readline())

        yield ask


@pytest.mark.parametrize("method", methods.names())
def test_killed_and_started_again_ends_the_same(
    method: str, ask: Callable[..., int], tmp_path: Path
) -> None:
    whole = ask(tmp_path / "whole", method)
    killed = ask(tmp_path / "killed", method)
    checkpoint = tmp_path / "killed" / "checkpoint.pt"
    moment = random.Random().uniform(0, 1.5)  # from its first checkpoint on, a run takes about 2 s
    latest = time.monotonic() + 60
    while not checkpoint.exists() and time.monotonic() < latest:
        time.sleep(0.005)
    time.sleep(moment)
    for pause in (0, random.Random().uniform(0, 1.5)):
        time.sleep(pause)
        os.kill(killed, signal.SIGKILL)
        assert ask(killed) in (-signal.SIGKILL, 0)
        killed = ask(tmp_path / "killed", method)
    assert ask(killed) == 0, moment
    assert ask(whole) == 0

    one, other = load_checkpoint(tmp_path / "whole"), load_checkpoint(tmp_path / "killed")
    for part in ("encoder_state", "method_state"):
        assert one[part].keys() == other[part].keys()
        for name, value in one[part].items():
            assert torch.equal(value, other[part][name]), (name, moment)
    tables = [
        pd.read_csv(tmp_path / name / "metrics.csv").drop(columns=["seconds", "images_per_second"])
        for name in ("whole", "killed")
    ]
    pd.testing.assert_frame_equal(*tables)
    log = (tmp_path / "killed.log").read_text()
    assert "going on from step" in log or "finished already" in log

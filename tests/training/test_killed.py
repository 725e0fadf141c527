"""Kill −9 at a random moment, and go on."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import torch

from cellssl import methods
from cellssl.training import load_checkpoint


def start(tiny: ModuleType, folder: Path, method: str) -> subprocess.Popen:
    with folder.with_suffix(".log").open("a") as log:
        return subprocess.Popen([sys.executable, str(tiny.__file__), folder, method], stderr=log)


@pytest.mark.parametrize("method", methods.names())
def test_killed_and_started_again_ends_the_same(
    method: str, tiny: ModuleType, tmp_path: Path
) -> None:
    whole = start(tiny, tmp_path / "whole", method)
    killed = start(tiny, tmp_path / "killed", method)
    moment = random.Random().uniform(0, 1.5)  # from its first checkpoint on, a run takes about 2 s
    while not (tmp_path / "killed" / "checkpoint.pt").exists() and killed.poll() is None:
        time.sleep(0.005)
    time.sleep(moment)
    for pause in (0, random.Random().uniform(0, 6)):  # a start takes some seconds
        time.sleep(pause)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        killed = start(tiny, tmp_path / "killed", method)
    assert killed.wait() == 0, moment
    assert whole.wait() == 0

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

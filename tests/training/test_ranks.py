"""Two processes give the losses and weights of one with the same global batch."""

import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from cellssl import methods
from cellssl.training import load_checkpoint

# The last two with a head for each of two groups of views, on one encoder and on a branch of it each.
RUNS = (*methods.names(labelled=True), "moco:ab", "moco:ab:own")
PROGRAM = Path(__file__).with_name("rank.py")


def free_port() -> str:
    with socket.socket() as connection:
        connection.bind(("127.0.0.1", 0))
        return str(connection.getsockname()[1])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """All methods, trained by one process and by two."""
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    command = [sys.executable, PROGRAM, one, two, free_port(), *RUNS]
    ended = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=240)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return one, two


@pytest.mark.parametrize("name", RUNS)
def test_two_ranks_equal_one(name: str, trained: tuple[Path, Path]) -> None:
    # Trap 10. Weights are float64; the classifier beside them and the losses kept are float32.
    one, two = (load_checkpoint(folder / name) for folder in trained)
    for part, close in (
        ("encoder_state", 1e-10),
        ("method_state", 1e-7),
        ("classifier_state", 1e-5),
    ):
        assert one[part].keys() == two[part].keys()
        for key, value in one[part].items():
            torch.testing.assert_close(
                two[part][key], value, atol=close, rtol=close, msg=lambda m, k=key: f"{k}: {m}"
            )
    losses = [pd.read_csv(folder / name / "metrics.csv")["loss"] for folder in trained]
    pd.testing.assert_series_equal(*losses, rtol=1e-6)
    assert losses[0].nunique() == len(losses[0])  # weights did move

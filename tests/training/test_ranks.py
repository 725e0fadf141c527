"""Two processes give the losses and weights of one with the same global batch."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from cellssl import methods
from cellssl.training import load_checkpoint

# The last with a head for each of two groups of views.
RUNS = (*methods.names(labelled=True), "moco:ab")
PROGRAM = Path(__file__).with_name("rank.py")


def free_port() -> str:
    with socket.socket() as connection:
        connection.bind(("127.0.0.1", 0))
        return str(connection.getsockname()[1])


def start(out: Path, rank: int, ranks: int, port: str) -> subprocess.Popen:
    several = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "WORLD_SIZE": str(ranks),
        "LOCAL_RANK": str(rank),
        "NODE_RANK": "0",
        "GLOO_SOCKET_IFNAME": "lo",
    }
    environment = {**os.environ, **(several if ranks > 1 else {})}
    command = [sys.executable, str(PROGRAM), str(out), str(ranks), *RUNS]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """All methods, trained by one process and by two."""
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    port = free_port()
    processes = [start(one, 0, 1, port), *(start(two, rank, 2, port) for rank in (0, 1))]
    for process in processes:
        _, complaint = process.communicate(timeout=240)
        assert process.returncode == 0, complaint[-3000:]
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

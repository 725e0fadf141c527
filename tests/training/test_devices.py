import pytest
import torch

from cellssl.errors import TrainingError
from cellssl.training import pick_device
from cellssl.training.devices import start_fabric

NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


def test_auto_is_a_device_that_computes():
    assert torch.ones(2, device=pick_device("auto")).sum().item() == 2
    assert pick_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(("asked", "threads"), [(None, 1), ("3", 3)])
def test_a_container_has_threads_for_its_own_cores(monkeypatch, asked, threads):
    monkeypatch.setattr("dask.system.CPU_COUNT", 1)
    if asked is None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
    before = torch.get_num_threads()
    try:
        for pick in (pick_device, lambda device: start_fabric(device, "32-true")):
            torch.set_num_threads(3)
            pick("cpu")
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_a_cpu_has_no_16_bit_floats_with_scaled_losses():
    with pytest.raises(TrainingError, match="'16-mixed' is for GPUs, and this is a CPU: take 32-t"):
        start_fabric("cpu", "16-mixed")


def test_a_gpu_is_cudas_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "empty", lambda *_, device: device)
    assert pick_device("gpu") == torch.device("cuda")
    assert pick_device("GPU:1") == torch.device("cuda:1")


@pytest.mark.parametrize("name", ["abacus", "xpu", "cuda:", "cuda:one", "auto:1", "cpu:0"])
def test_what_is_no_device_is_said_with_those_there_are(name):
    for ask in (pick_device, lambda device: start_fabric(device, "32-true")):
        with pytest.raises(
            TrainingError, match=f"no device '{name}'; there are auto, cpu, cuda, mps"
        ):
            ask(name)


@pytest.mark.parametrize("name", ["cuda:99", pytest.param("gpu", marks=NO_GPU)])
def test_a_device_that_is_not_there_is_refused(name):
    with pytest.raises(TrainingError, match="take auto or cpu"):
        pick_device(name)


@pytest.mark.parametrize("name", ["cuda:99", pytest.param("cuda", marks=NO_GPU)])
def test_a_training_refuses_it_too(name):
    with pytest.raises(TrainingError, match="Use --device auto, or cpu"):
        start_fabric(name, "32-true")

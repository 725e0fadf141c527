import pytest
import torch

from cellssl.errors import TrainingError
from cellssl.training import pick_device
from cellssl.training.devices import start_fabric

NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


def test_auto_is_a_device_that_computes():
    assert torch.ones(2, device=pick_device("auto")).sum().item() == 2
    assert pick_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(name):
    with pytest.raises(TrainingError, match="take auto or cpu"):
        pick_device(name)


@pytest.mark.parametrize("name", ["abacus", "cuda:99", pytest.param("cuda", marks=NO_GPU)])
def test_a_training_refuses_it_too(name):
    with pytest.raises(TrainingError, match="Use --device auto, or cpu"):
        start_fabric(name, "32-true")

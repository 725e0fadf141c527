import pytest
import torch

from cellssl.errors import TrainingError
from cellssl.training import pick_device


def test_auto_is_a_device_that_computes():
    assert torch.ones(2, device=pick_device("auto")).sum().item() == 2
    assert pick_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(name):
    with pytest.raises(TrainingError, match="take auto or cpu"):
        pick_device(name)

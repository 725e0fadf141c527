"""On a GPU: a step recorded once as a CUDA graph, then replayed; views compiled."""

import logging
from collections.abc import Callable

import torch
from lightning_fabric import Fabric
from torch import Tensor

from cellssl.errors import first_line
from cellssl.training.settings import TrainingSettings
from cellssl.training.step import Step, ViewMaker

_LOG = logging.getLogger(__name__)
# Steps made one kernel at a time, on a side stream, before recording: libraries load, optimiser
# states come into being.
_WARM = 3


def why_eager(fabric: Fabric, settings: TrainingSettings) -> str:
    """Say why a step will not be recorded; empty when it will."""
    if fabric.device.type != "cuda":
        return f"a step is recorded on NVIDIA GPUs only, and this is {fabric.device.type}"
    if not settings.capture:
        return "capture: false"
    if fabric.world_size > 1:
        return "devices exchange gradients"
    if settings.precision == "16-mixed":
        return "16-mixed scales losses by what it reads from the device; bf16-mixed does not"
    return ""


def choose_step(step: Step, fabric: Fabric, settings: TrainingSettings) -> Callable[[], Tensor]:
    """Give the step as it is on a CPU, or recorded on a GPU; says so where a GPU's is not."""
    reason = why_eager(fabric, settings)
    if not reason:
        return CapturedStep(step)
    if fabric.device.type == "cuda":
        _LOG.info("steps are not recorded as a CUDA graph: %s", reason)
    return step


class CapturedStep:
    """A step that costs one launch.

    At small batches a GPU waits for the CPU that tells it kernel after kernel. Here the first steps
    are made so; then one is recorded, and from there on replayed: the same kernels on the same
    memory, where `Step.turn_to` has written the new positions, number and learning rate.

    A step that cannot be recorded goes on as before; the reason is said once.

    Parameters
    ----------
    step : Step
        On a CUDA device.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._graph: torch.cuda.CUDAGraph | None = None
        self._loss: Tensor | None = None
        self._made = 0
        self._eager = False

    def __call__(self) -> Tensor:
        """Make the step; gives its loss (0-d), which the next step overwrites."""
        if self._eager:
            return self._step()
        if self._graph is None or self._loss is None:
            self._made += 1
            return self._warm() if self._made <= _WARM else self._record()
        self._graph.replay()
        return self._loss

    def _warm(self) -> Tensor:
        """Make a step on a side stream, as recording asks for."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            loss = self._step()
        torch.cuda.current_stream().wait_stream(stream)
        return loss

    def _record(self) -> Tensor:
        """Record the step, which does not make it, and replay it once."""
        graph = torch.cuda.CUDAGraph()
        try:
            # The thread that reads ahead may pin memory meanwhile, which is no part of the step.
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                loss = self._step()
        except RuntimeError as error:
            _LOG.warning(
                "a step cannot be recorded as a CUDA graph (%s): slower without", first_line(error)
            )
            self._step.forget()
            self._eager = True
            return self._step()
        self._graph, self._loss = graph, loss
        graph.replay()
        return loss


def compiled(views: ViewMaker) -> ViewMaker:
    """Compile views for a GPU: their many small operations become a few kernels.

    Where nothing can be compiled (no Triton, no C compiler) they are made as they are, and the
    reason is said once.
    """
    from torch._dynamo.exc import TorchDynamoException  # seconds, which only a GPU's run spends

    fast: ViewMaker | None = torch.compile(views, dynamic=False)

    def make(*arguments: object, **others: object) -> tuple[Tensor, ...]:
        nonlocal fast
        if fast is not None:
            try:
                return fast(*arguments, **others)
            except TorchDynamoException as error:
                _LOG.warning("views cannot be compiled (%s)", first_line(error))
                fast = None
        return views(*arguments, **others)

    return make

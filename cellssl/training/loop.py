"""The training loop: one for every method."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cellssl.datasets import Source
from cellssl.files import locked, make_folder
from cellssl.methods import Method
from cellssl.progress import bar
from cellssl.training.interruption import watch_signals
from cellssl.training.memory import keep_freed_memory
from cellssl.training.optimizers import make_optimizer, set_learning_rate
from cellssl.training.partners import Partners
from cellssl.training.run import Run, identify, previous, start_fabric
from cellssl.training.schedule import epoch_order, learning_rate, make_plan
from cellssl.training.settings import TrainingSettings

__all__ = ["ViewMaker", "fit"]

_LOG = logging.getLogger(__name__)

# (images (B, C, S, S), seed, epoch, samples (B,)) → the views of a step, as `cellssl.augment.Views`
# makes them; with masks, partners and partner_masks by name where there are some.
ViewMaker = Callable[..., tuple[Tensor, ...]]


def fit(
    method: Method,
    source: Source,
    views: ViewMaker,
    settings: TrainingSettings,
    out: str | Path,
    *,
    partners: Partners | None = None,
    description: Mapping[str, Any] | None = None,
    progress: bool = True,
    device: str = "auto",
) -> Path:
    """Train a method's encoder, or go on where an interrupted run stopped.

    On a CPU a run that was killed at any moment and started again ends with the same weights and
    metrics as one that was left alone (with the same number of threads).

    Parameters
    ----------
    method : Method
        With its encoder, freshly built inside ``seeded(settings.seed)``. Trained in place.
    source : Source
        The images.
    views : callable
        Makes the views of a batch, e.g. `cellssl.augment.Views`.
    settings : TrainingSettings
        What the method and its encoder were built from, and how to train them.
    out : path
        Run folder: gets ``checkpoint.pt``, ``metrics.csv``, ``environment.json``.
    partners : Partners, optional
        Which other image every second view shows (weak supervision); its own without.
    description : mapping, optional
        Plain values that go into the checkpoint (channels, crop size, scaling, protocol). A run
        goes on only with the same.
    progress : bool
        Show a bar, where there is a terminal.
    device : str
        "auto", "cpu", "cuda", "cuda:1", "mps".

    Returns
    -------
    Path
        The run folder. When the run there is finished, it returns at once.

    Raises
    ------
    TrainingError
        When the folder holds another run, the loss is no longer a number, the disk is full, or the
        run was asked to stop (SIGTERM: it saves first).

    Examples
    --------
    >>> with seeded(settings.seed):  # doctest: +SKIP
    ...     method = methods.build("simclr", encoders.build("resnet18", 3, width=0.5))
    >>> fit(method, source, views, settings, "runs/expert")  # doctest: +SKIP
    PosixPath('runs/expert')
    """
    folder = make_folder(out)
    plan = make_plan(len(source), settings)
    fabric = start_fabric(device, settings.precision)
    source = source.to(fabric.device)
    if partners is not None:
        partners = partners.to(fabric.device)
    if fabric.device.type == "cpu":
        keep_freed_memory()

    identity = identify(method, source, settings, description or {})
    saved = previous(folder, identity)
    if saved is not None and saved["finished"]:
        _LOG.info("%s is finished already: %d epochs, nothing to do", folder, plan.epochs)
        return folder

    method.begin(plan.samples, plan.batch)
    method.to(memory_format=torch.channels_last).train()
    module = fabric.setup_module(method)
    optimizer: Any = fabric.setup_optimizers(make_optimizer(module, settings))

    with (
        locked(folder),
        Run(folder, fabric, method, optimizer, plan, identity, saved) as run,
        watch_signals() as interruption,
        bar(shown=progress) as display,
    ):
        task = display.add_task("train", total=plan.total, completed=run.step, note="")
        order = epoch_order(settings.seed, run.step // plan.steps, plan).to(fabric.device)

        while run.step < plan.total:
            # Where we are: a pure function of the step.
            epoch, within = divmod(run.step, plan.steps)
            if within == 0:
                order = epoch_order(settings.seed, epoch, plan).to(fabric.device)
            rate = learning_rate(run.step, plan, peak=settings.lr)
            set_learning_rate(optimizer, rate)

            # The step. Nothing in it waits for the device.
            index = order[within * plan.batch : (within + 1) * plan.batch]
            made = _make_views(views, source, partners, index, seed=settings.seed, epoch=epoch)
            loss = module(*(view.contiguous(memory_format=torch.channels_last) for view in made))
            fabric.backward(loss)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            method.after_step(run.step, plan.total)

            # The book-keeping: reads the losses every so many steps only.
            note = run.record(loss.detach(), rate, views=len(made))
            place = f"epoch {epoch + 1}/{plan.epochs}"
            display.update(task, advance=1, description=place, note=note)
            if run.epoch_ended or interruption or run.overdue(settings.checkpoint_minutes):
                run.save()
            interruption.leave(folder, run.step)
    return folder


def _make_views(
    views: ViewMaker,
    source: Source,
    partners: Partners | None,
    index: Tensor,
    *,
    seed: int,
    epoch: int,
) -> tuple[Tensor, ...]:
    """Gather a batch, its masks and its partners, and make the views."""
    samples = source.samples[index]
    others: dict[str, Tensor | None] = {"masks": source.gather_masks(index)}
    if partners is not None:
        other = partners.draw(index, samples=samples, seed=seed, epoch=epoch)
        others |= {"partners": source.gather(other), "partner_masks": source.gather_masks(other)}
    given = {name: tensor for name, tensor in others.items() if tensor is not None}
    return views(source.gather(index), seed, epoch, samples, **given)

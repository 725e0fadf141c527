"""The training loop: one for every method."""

import logging
from collections.abc import Mapping
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from cellssl.datasets import Source
from cellssl.errors import TrainingError
from cellssl.files import locked, make_folder
from cellssl.methods import Method
from cellssl.progress import bar
from cellssl.training.capture import choose_step, compiled
from cellssl.training.classifier import Labels, OnlineClassifier
from cellssl.training.collapse import FeatureTap
from cellssl.training.devices import start_fabric
from cellssl.training.identity import identify, previous
from cellssl.training.interruption import watch_signals
from cellssl.training.memory import keep_freed_memory
from cellssl.training.optimizers import make_optimizer
from cellssl.training.partners import Partners
from cellssl.training.run import Run
from cellssl.training.schedule import Plan, learning_rate, make_plan
from cellssl.training.settings import TrainingSettings
from cellssl.training.step import Step, ViewMaker
from cellssl.training.supply import make_supply

_LOG = logging.getLogger(__name__)


def fit(
    method: Method,
    source: Source,
    views: ViewMaker,
    settings: TrainingSettings,
    out: str | Path,
    *,
    partners: Partners | None = None,
    labels: Labels | None = None,
    description: Mapping[str, Any] | None = None,
    progress: bool = True,
    device: str = "auto",
    devices: int = 1,
    nodes: int = 1,
    strategy: str = "auto",
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
        Run folder: gets ``checkpoint.pt``, ``metrics.csv``, ``environment.json``; with `labels`
        ``online_accuracy.csv`` and ``online_confusion.csv`` too.
    partners : Partners, optional
        Which other image every second view shows (weak supervision); its own without.
    labels : Labels, optional
        What the images show, told to a linear classifier beside the encoder, for looking on; and to
        the method itself where it is `labelled`, which needs them.
    description : mapping, optional
        Plain values that go into the checkpoint (channels, crop size, scaling, protocol). A run
        goes on only with the same.
    progress : bool
        Show a bar, where there is a terminal or a notebook.
    device : str
        "auto", "cpu", "cuda", "cuda:1", "mps".
    devices, nodes, strategy
        See `start_fabric`: with several devices each batch is divided over them, and losses and
        weights are those of one device with the same batch (on GPUs, where batch norms can be
        synchronised; on CPUs, for networks without them).

    Returns
    -------
    Path
        The run folder. When the run there is finished, it returns at once.

    Raises
    ------
    TrainingError
        When the folder holds another run, the loss is no longer a number, the disk is full, images
        can no longer be read, or the run was asked to stop (SIGTERM or SIGUSR1: it saves first).

    Examples
    --------
    >>> with seeded(settings.seed):  # doctest: +SKIP
    ...     method = methods.build("simclr", encoders.build("resnet18", 3, width=0.5))
    >>> fit(method, source, views, settings, "runs/expert")  # doctest: +SKIP
    PosixPath('runs/expert')
    """
    _check_told(method, labels, partners)
    folder = make_folder(out)
    plan = make_plan(len(source), settings)
    identity = identify(method, source, settings, description or {}, partners)
    fabric = start_fabric(
        device, settings.precision, devices=devices, nodes=nodes, strategy=strategy
    )
    _check_division(plan, fabric.world_size, divided=settings.divide_batch)
    saved = previous(folder, identity)
    _check_shared(folder, fabric, 0 if saved is None else saved["step"])
    if saved is not None and saved["finished"]:
        _LOG.info("%s is finished already: %d epochs, nothing to do", folder, plan.epochs)
        return folder

    step = _set_up(
        method,
        source,
        views=views,
        settings=settings,
        plan=plan,
        fabric=fabric,
        partners=partners,
        labels=labels,
    )
    make_step = choose_step(step, fabric, settings)
    with (
        locked(folder) if fabric.is_global_zero else nullcontext(),
        closing(Run(folder, step, plan, identity, saved)) as run,
        watch_signals() as interruption,
        bar(shown=progress and fabric.is_global_zero) as display,
    ):
        task = display.add_task("train", total=plan.total, completed=run.step, note="")
        while run.step < plan.total:
            epoch = run.step // plan.steps
            rate = learning_rate(run.step, plan, peak=settings.lr)
            step.turn_to(run.step, rate, fraction=rate / settings.lr)

            loss = make_step()  # nothing in it waits for the device

            note = run.record(loss, rate)  # reads the losses every so many steps only
            place = f"epoch {epoch + 1}/{plan.epochs}"
            display.update(task, advance=1, description=place, note=note)
            stopping = interruption.agreed(fabric, together=run.row_ended)
            alone = run.row_ended or fabric.world_size == 1  # else ranks would wait for each other
            if stopping or (alone and run.due(settings.checkpoint_minutes)):
                run.save()
            if stopping:
                break
        fabric.barrier()
        # Asked during the last checkpoint too.
        interruption.leave(folder, run.step, finished=run.step == plan.total)
    return folder


def _set_up(
    method: Method,
    source: Source,
    *,
    views: ViewMaker,
    settings: TrainingSettings,
    plan: Plan,
    fabric: Fabric,
    partners: Partners | None,
    labels: Labels | None,
) -> Step:
    """Bring everything onto the device, and put a step together."""
    on_gpu = fabric.device.type == "cuda"
    if fabric.device.type == "cpu":
        keep_freed_memory()
    source = source.to(fabric.device)
    method.begin(plan.samples, plan.cells)
    method.to(memory_format=torch.channels_last).train()
    if fabric.world_size > 1:
        _synchronise_norms(method, on_gpu=on_gpu)
    if settings.compile:
        for network in method.networks:
            network.compile()
    module = fabric.setup_module(method)
    classifier = None
    if labels is not None:
        classifier = OnlineClassifier(labels, method.networks[0].feature_dim).to(fabric.device)
    return Step(
        fabric,
        module,
        fabric.setup_optimizers(make_optimizer(module, settings)),
        method=method,
        supply=make_supply(
            source,
            partners,
            plan,
            seed=settings.seed,
            rank=fabric.global_rank,
            ranks=fabric.world_size,
        ),
        views=compiled(views) if on_gpu else views,
        taps=tuple(FeatureTap(network) for network in method.networks),
        classifier=classifier,
        codes=labels.codes.to(fabric.device) if labels is not None and method.labelled else None,
    )


def _check_told(method: Method, labels: Labels | None, partners: Partners | None) -> None:
    """Make sure that a method which learns labels gets them, and views of the cells that they are of."""
    if method.labelled and labels is None:
        raise TrainingError(f"method {method.name!r} learns what the images show: it needs labels")
    if method.labelled and partners is not None:
        raise TrainingError(
            f"method {method.name!r} learns what each image shows: every view must show the image itself, "
            "so take positives: same_cell"
        )


def _check_shared(folder: Path, fabric: Fabric, step: int) -> None:
    """Make sure that all processes go on from the same checkpoint."""
    if fabric.world_size == 1:
        return
    steps: Any = fabric.all_gather(torch.tensor(step, device=fabric.device))
    if len(set(steps.tolist())) > 1:
        raise TrainingError(
            f"the processes found different checkpoints in {folder} (steps {steps.tolist()}): it "
            "must be on a file system that all machines share"
        )


def _synchronise_norms(method: Method, *, on_gpu: bool) -> None:
    """Let batch norms see the whole batch; on CPUs they cannot, which is said."""
    if on_gpu:
        nn.SyncBatchNorm.convert_sync_batchnorm(method)
    elif any(isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) for m in method.modules()):
        _LOG.warning(
            "batch norms cannot be synchronised on CPUs: each process normalises its own part of a "
            "batch, and the result is not that of one process. Use one process, or GPUs."
        )


def _check_division(plan: Plan, ranks: int, *, divided: bool) -> None:
    """Make sure that every device has as many images of a batch, two at least."""
    if divided and ranks > 1:
        raise TrainingError(
            "divide_batch: groups of views that share a batch would see other cells on several "
            "devices than on one; train on one device, or set divide_batch: false"
        )
    if plan.batch % ranks or plan.batch // ranks < 2:
        raise TrainingError(
            f"a batch of {plan.batch} cells cannot be divided over {ranks} devices: choose a "
            f"batch_size that is a multiple of {ranks}, from {2 * ranks} to {max(plan.batch, 2 * ranks)}"
        )

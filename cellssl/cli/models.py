"""Commands around encoders: train, embed."""

from typing import Annotated, Any

import typer

from cellssl.cli import options
from cellssl.cli.application import STAGES, app
from cellssl.cli.results import say_combined
from cellssl.cli.shell import command, say, shown
from cellssl.errors import CellsslError


@command(app, "train", panel=STAGES)
def train(
    crops: options.CropFile,
    protocol: Annotated[str, options.protocol_option("A protocol's name or file.")],
    out: options.OutFolder,
    changes: options.TrainingChanges,
    many: options.ManyDevices,
    label: Annotated[
        str | None,
        typer.Option(
            help="Classes that a linear classifier learns beside the encoder, for looking on; what the "
            "method supervised is told."
        ),
    ] = None,
    device: options.Device = "auto",
) -> None:
    """Train an encoder as a protocol says; the same command again goes on where it stopped."""
    import cellssl.studies

    run = cellssl.studies.train(
        crops,
        protocol,
        out,
        changes=changes.collect(),
        label=label,
        device=device,
        devices=many.devices,
        nodes=many.nodes,
        strategy=many.strategy,
        progress=shown(),
    )
    say(f"written to {run}")


@command(app, "embed", panel=STAGES)
def embed(
    crops: options.CropFile,
    model: Annotated[
        list[str],
        typer.Option(
            "--model",
            "-m",
            help="A run folder, a checkpoint, resnet18…101, resnet50-v1, random, "
            "simple-features or intensity-features; repeated, the embeddings are combined.",
        ),
    ],
    out: options.Out,
    protocol: Annotated[
        str | None,
        options.protocol_option(
            "Show the cells to baselines as this protocol's encoder sees them: its channels, crop size and "
            "scaling. (default: all channels, the whole crop, scaled per plate)"
        ),
    ] = None,
    head: options.Head = None,
    weights: options.Weights = None,
    size: Annotated[
        int | None,
        typer.Option(min=32, help="Pixels that a pretrained network sees. (default: 224)"),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(min=1, help="Embed only so many cells, evenly over the wells. (default: all)"),
    ] = None,
    orientations: options.Orientations = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of a random network's weights.")] = 0,
    device: options.Device = "auto",
) -> None:
    """Put an encoder over crops: one embedding per cell, as AnnData; several are combined."""
    import cellssl.embedding
    import cellssl.phenotypes

    sees: dict[str, Any] = {}
    if protocol is not None:
        if not any(map(cellssl.embedding.is_baseline, model)):
            raise CellsslError(
                "--protocol says how baselines see the cells, and --model names none; a trained encoder sees "
                "them as it was trained: leave --protocol out."
            )
        from cellssl.studies import sight

        sees = sight(protocol)
    several = len(model) > 1
    used = [cellssl.embedding.is_pretrained(one) for one in model] if several else [True]
    if several:
        _check_several(used, head=head, network=(size, weights) != (None, None))
    embedded = [
        cellssl.embedding.embed(
            crops,
            one,
            None if several else out,
            head=head,
            weights=weights if takes else None,
            size=size if takes else None,
            sample=sample,
            orientations=orientations,
            seed=seed,
            device=device,
            progress=shown(),
            **(sees if cellssl.embedding.is_baseline(one) else {}),
        )
        for one, takes in zip(model, used, strict=True)
    ]
    if several:
        combined = cellssl.phenotypes.combine(embedded, out)
        say_combined(combined)
    else:
        say(f"{embedded[0].n_obs:,} cells, {embedded[0].n_vars} features")
    say(f"written to {out}")


def _check_several(pretrained: list[bool], *, head: str | None, network: bool) -> None:
    """Refuse options of one model where there are several; `network`: those of a pretrained one."""
    if head is not None:
        raise CellsslError(
            f"--head goes with one run; --model names {len(pretrained)} models. Embed each by itself, "
            "then `cellssl combine`."
        )
    if network and sum(pretrained) != 1:
        raise CellsslError(
            f"--weights and --size go with one pretrained network; --model names {sum(pretrained)} of "
            "them. Embed each by itself, then `cellssl combine`."
        )

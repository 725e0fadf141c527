"""From a protocol to what `cellssl.training.fit` takes: views, encoder, method."""

from collections.abc import Sequence

from cellssl import encoders, methods
from cellssl.augment import View, Views
from cellssl.encoders import Encoder
from cellssl.errors import ProtocolError
from cellssl.methods import GroupedMethod, Method
from cellssl.protocols.grouping import group_values
from cellssl.protocols.loading import from_dict
from cellssl.protocols.protocol import Protocol


def expand_groups(protocol: Protocol) -> dict[str, Protocol]:
    """Give each group of views as a protocol of its own; without groups the protocol by its name.

    Examples
    --------
    >>> from cellssl.protocols import load
    >>> [group.name for group in expand_groups(load("bbbc021-two-heads")).values()]
    ['bbbc021-two-heads:expert', 'bbbc021-two-heads:geometry']
    """
    if not protocol.groups:
        return {protocol.name: protocol}
    return {name: from_dict(values) for name, values in group_values(protocol).items()}


def choose_channels(protocol: Protocol, channels: Sequence[str]) -> tuple[str, ...]:
    """Give the channels that the encoder sees, in its order: the protocol's, or all for ``any``."""
    return tuple(channels) if protocol.channels == "any" else protocol.channels


def build_each(
    protocol: Protocol, channels: Sequence[str], masks: Sequence[str] = ()
) -> list[View]:
    """Build one view for each entry of `views:`, however often it is made; else `build_views`."""
    crop = protocol.crop
    try:
        return [
            View(
                recipe.operations,
                recipe.size or crop.size,
                channels=channels,
                masks=masks,
                border=crop.border,
                interpolation=crop.interpolation,
                transform=crop.scaling.transform,
            )
            for recipe in protocol.views
        ]
    except ValueError as error:
        raise ProtocolError(f"protocol {protocol.name}: {error}") from error


def build_views(protocol: Protocol, channels: Sequence[str], masks: Sequence[str] = ()) -> Views:
    """Build the views, of every group where there are several.

    Parameters
    ----------
    protocol
        The protocol.
    channels
        Names of the channels of the images that will come, in order (`choose_channels`).
    masks
        Names of the masks that will come, in order; none by default.

    Raises
    ------
    ProtocolError
        When an operation names a channel, or needs a mask, that is not there.
    """
    groups = expand_groups(protocol).values()
    views = [
        view
        for one in groups
        for view, recipe in zip(build_each(one, channels, masks), one.views, strict=True)
        for _ in range(recipe.count)
    ]
    return Views(*views, groups=len(groups), divide=protocol.training.divide_batch)


def build_encoder(protocol: Protocol, in_channels: int) -> Encoder:
    """Build the untrained encoder for so many channels; weights from torch's generator."""
    settings = protocol.training
    own = settings.own_stages if protocol.groups else 0
    return encoders.build(
        settings.encoder,
        in_channels,
        width=settings.width,
        stem=settings.stem,
        own_stages=own,
        branches=tuple(protocol.groups) if own else (),
    )


def build_method(protocol: Protocol, encoder: Encoder) -> Method:
    """Put the encoder under the protocol's method, with a head for each group of views."""
    settings = protocol.training
    if protocol.groups and methods.is_labelled(settings.method):
        raise ProtocolError(
            f"protocol {protocol.name}: {settings.method} has one head, and there are groups of views "
            f"({', '.join(protocol.groups)}): take the views of one, or another method"
        )
    if not protocol.groups:
        return methods.build(settings.method, encoder, **settings.method_options)
    heads = {
        name: methods.build(settings.method, encoder.branch(name), **settings.method_options)
        for name in protocol.groups
    }
    return GroupedMethod(encoder, heads, divide=settings.divide_batch)

"""What an audit does to cells: each operation of a protocol by itself, and its whole views."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cellssl.augment import Operation, View
from cellssl.protocols import Protocol, expand_groups
from cellssl.protocols.building import build_each
from cellssl.protocols.describing import amplitude
from cellssl.studies.audit.amplitudes import TURNING, at_share

WHOLE = "whole view"


@dataclass(frozen=True)
class Case:
    """Something that is done to cells: one operation at a share of its amplitude, or a whole view."""

    operation: str
    amplitude: str
    share: float
    views: tuple[View, ...]
    groups: tuple[str, ...] = ()  # of views that do it, where a protocol names several

    @property
    def turns(self) -> bool:
        """Whether cells are turned or mirrored."""
        return any(one.name in TURNING for view in self.views for one in view.operations)


def cases_of(
    protocol: Protocol, channels: Sequence[str], masks: Sequence[str], shares: Sequence[float]
) -> list[Case]:
    """List each operation at each share of its amplitude, equal ones once, and the whole views.

    A protocol of several groups has the operations of all, those of several alike once, and a whole view for
    each group.
    """
    cases: dict[tuple[Operation, int], Case] = {}
    whole = []
    for name, group in expand_groups(protocol).items():
        own = (name,) if protocol.groups else ()
        views = tuple(build_each(group, channels, masks))
        for view in views:
            smaller = f"{view.size} px" if view.size != group.crop.size else ""
            doing = [operation for operation in view.operations if not operation.idle]
            for one, share in (
                (at_share(each, share), share) for each in doing for share in shares
            ):
                text = ", ".join(filter(None, [amplitude(one), f"p {one.p:g}", smaller]))
                case = Case(one.name, text, share, (view.made_of([one]),))
                known = cases.get((one, view.size), case)
                groups = tuple(dict.fromkeys((*known.groups, *own)))
                cases[one, view.size] = replace(known, groups=groups)
        whole.append(Case(" of ".join((WHOLE, *own)), "", 1.0, views, own))
    return [*cases.values(), *whole]

"""What an audit says with reserve: contrasts that a plate may tell, or that are not seen, cells that are left out."""

from typing import TYPE_CHECKING

import pandas as pd

from cellssl.columns import bare_name
from cellssl.studies.audit.references import USUAL
from cellssl.words import counted, listed

if TYPE_CHECKING:
    from cellssl.studies.audit.audit import Audit


_MOST = 3
# Drawn cells, two classes of unlike light (d' 3.3): gain that took 4 cells of 100 of 480 took 3 to 7 of 240,
# 3 to 9 of 120, 10 to 17 of 60, 12 to 27 of 30; focus, which took none, was warned of in 6 of 10 of 60 or fewer.
_ENOUGH = 100


def caveats(audit: "Audit", reference: str) -> list[str]:
    """Say of what the numbers tell less than they seem to, in one reference; some lines are warnings."""
    return [
        *_confounded(audit, reference),
        *_few(audit, reference),
        *_unseen(audit, reference),
        *_alike(audit, reference),
        *_absent(audit),
        *_lone(audit),
    ]


def _confounded(audit: "Audit", reference: str) -> list[str]:
    """Say how many contrasts a plate may tell as well as the classes do, or in part."""
    own, nuisances = _of(audit.contrasts, reference), _of(audit.nuisances, reference)
    if own.empty or nuisances.empty:
        return []
    own = own.drop_duplicates(["class_a", "class_b"])
    lines = []
    for name, alone in nuisances[["nuisance", "alone"]].to_numpy().tolist():
        these, example = _apart(own, "apart", name)
        each = "each of " if alone > 1 else ""
        lone = (
            f" ({each}{counted(alone, 'class', 'classes')} lies on one {name} alone)"
            if alone
            else ""
        )
        text = (
            f"{these} of {len(own)} contrasts are between classes that share no {name}, such as "
            f"{example}{lone}: the {name} may be all that tells them, and to lose them no loss"
        )
        if these:
            lines.append(f"warning: {text}" if these == len(own) else text)
        these, example = _apart(own, "apart_in_part", name)
        if these:
            lines.append(
                f"{these} of {len(own)} contrasts are between classes that hardly share a {name}, such as "
                f"{example} (most cells of one lie where the other has few or none): the {name} may be part of "
                "what tells them; look at what they share (--plate, --where)"
            )
    return lines


def _apart(contrasts: pd.DataFrame, column: str, nuisance: str) -> tuple[int, str]:
    """Count the contrasts that a nuisance may tell, and name the clearest."""
    these = contrasts[[nuisance in names.split(", ") for names in contrasts[column]]]
    if these.empty:
        return 0, ""
    best = these.sort_values("before", ascending=False, kind="stable").iloc[0]
    return len(these), f"{best['class_a']} and {best['class_b']}"


def _few(audit: "Audit", reference: str) -> list[str]:
    """Say that of few cells costs come out too high: what else tells classes is not found among them."""
    own = _of(audit.outlook, reference)
    if audit.label is None or own.empty or own["cells"].iloc[0] >= _ENOUGH:
        return []
    if not _pairs(audit.contrasts, reference):
        return []  # which is said
    return [
        f"costs rest on {own['cells'].iloc[0]} cells, and of fewer than {_ENOUGH} they come out too high, small "
        "ones by chance, large ones up to four times on drawn cells: look at more (--cells)"
    ]


def _unseen(audit: "Audit", reference: str) -> list[str]:
    """Say of which classes nothing can be said: what tells them is not measured here, or hardly."""
    own = _of(audit.unseen, reference)
    if own.empty:
        return []
    told = _pairs(audit.contrasts, reference)
    if not told:
        return [_nothing_told(audit, reference, len(own))]
    best = own.sort_values("before", ascending=False, kind="stable").head(_MOST)
    names = [f"{a} against {b}" for a, b in best[["class_a", "class_b"]].to_numpy().tolist()]
    more = [f"{len(own) - _MOST} more"] if len(own) > _MOST else []
    return [
        f"nothing is said of {len(own)} of {len(own) + told} contrasts, which {reference} shows in these "
        f"cells no better than chance, or hardly: {', '.join([*names, *more])}"
    ]


def _nothing_told(audit: "Audit", reference: str, contrasts: int) -> str:
    """Warn that a reference tells no two classes, and say what may tell them."""
    names = dict.fromkeys(audit.operations["reference"])
    counts = {name: _pairs(audit.contrasts, name) for name in names if name != reference}
    seen = [f"; {name} tells {n} of {contrasts} contrasts" for name, n in counts.items() if n]
    usual = set(USUAL.split("+")) <= set(reference.split("+"))
    random = any("random" in name.split("+") for name in names)
    return (
        f"warning: {reference} tells no {_plain(audit.label)} from another in these cells, so that nothing said below "
        f"is about it{''.join(seen)}: {'' if usual else f'ask --reference {USUAL}, '}look at more cells (--cells), or "
        f"at what only a network sees ({'' if random else '--reference random, or '}a pretrained one with --weights)"
    )


def _alike(audit: "Audit", reference: str) -> list[str]:
    """Name the nuisances that are not bridged since cells do not differ by them, as far as is measured."""
    own = _of(audit.nuisances, reference)
    if own.empty:
        return []
    names = own.loc[(own["values"] > 1) & (own["separation"] == 0), "nuisance"].tolist()
    return [
        f"nothing is said of bridging {name}: what {reference} measures differs by it no more than by chance"
        for name in names
    ]


def _absent(audit: "Audit") -> list[str]:
    """Say of which cells nothing is said, since they are of no class or alone in theirs."""
    if audit.absent.empty:
        return []
    kind, none = _plain(audit.label), audit.absent["class"] == ""
    alone = audit.absent.loc[~none, "class"].tolist()
    unlabelled = int(audit.absent.loc[none, "cells"].sum())
    parts = []
    if unlabelled:
        parts.append(f"{counted(unlabelled, 'cell has', 'cells have')} no {kind}")
    if alone:
        names = listed(alone, most=_MOST)
        parts.append(f"{names} {'has one cell' if len(alone) == 1 else 'have one cell each'}")
    return [f"left out: {', and '.join(parts)}"]


def _lone(audit: "Audit") -> list[str]:
    """Say which plate most of what wells differ by lies on, where one stands for many."""
    if len(audit.plates) < _MOST:
        return []
    most = max(audit.plates.to_dict("records"), key=lambda one: one["share"])
    if most["share"] < 1 / 2:
        return []
    return [
        f"warning: {most['share']:.0%} of what wells of one plate differ by lies on one of "
        f"{len(audit.plates)} plates, {most['plate']}, and the costs below with it: look whether its wells "
        "are lit in all channels, or choose others with --plate"
    ]


def _of(table: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Choose the rows of one reference; a table without rows has no columns."""
    return table if table.empty else table[table["reference"] == reference]


def _pairs(contrasts: pd.DataFrame, reference: str) -> int:
    """Count the contrasts that are told before any view."""
    own = _of(contrasts, reference)
    return 0 if own.empty else len(own[["class_a", "class_b"]].drop_duplicates())


def _plain(label: str | None) -> str:
    return "class" if label is None else bare_name(label)

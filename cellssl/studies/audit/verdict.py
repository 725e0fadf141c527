"""The findings of an audit in plain words, the costliest operation first."""

import math
from typing import TYPE_CHECKING, Any

import pandas as pd
from scipy.stats import norm

from cellssl.studies.audit.amplitudes import LYING
from cellssl.studies.audit.arrangement import LAID
from cellssl.studies.audit.cases import WHOLE
from cellssl.studies.audit.caveats import caveats
from cellssl.studies.audit.separation import CLEAR, VISIBLE
from cellssl.words import listed

if TYPE_CHECKING:
    from cellssl.studies.audit.audit import Audit


# Of cells put right between two classes, mean of the visible pairs, so many fewer are worth a warning. A
# share of d' alone is not: of contrasts far apart a quarter may go, the rest tells nearly every cell, and an
# encoder finds it (protocols/README.md, "What an audit sees": how often each rule was right).
_FEWER = 0.015
# Of the contrast between wells, which have no pairs; and as much more of it, as read, is told.
_COSTLY = 0.15
_ERASED = 0.5  # an operation varies a property as much as cells differ in it: it is erased
LOST = 0.3  # share of one contrast that is worth naming
_LITTLE = 0.02
# How often every place of a cell is seen, that an encoder may look past the rest.
_HERE_AND_THERE = 2 / 3
_BELOW = 0.02  # of cells put right: less is chance among some hundreds of cells
_MOST_GONE = 0.5  # of the cells that are put right beyond chance
_MOST = 3
_SECOND = 1 / 3  # of the costliest operation's cost, for another to be named beside it
_WELLS = "contrast between wells of one plate"


def verdict(audit: "Audit") -> list[str]:
    """Say what each operation at its full amplitude erases and bridges, then the whole view."""
    first = audit.operations["reference"].iloc[0]
    full = audit.operations[
        (audit.operations["share"] == 1.0) & (audit.operations["reference"] == first)
    ]
    whole = full["operation"].str.startswith(WHOLE)
    if whole.all():
        return ["the protocol has no operation: it erases nothing, and bridges nothing"]
    ranked = full[~whole].sort_values("cost", ascending=False, kind="stable")
    single = [_operation(audit, row) for row in ranked.to_dict("records")]
    together = [_whole(audit, row) for row in full[whole].to_dict("records")]
    told = caveats(audit, first)
    warnings = [line for line in told if line.startswith("warning")]
    rest = [line for line in told if line not in warnings]
    return [*warnings, *single, *rest, *together]


def _operation(audit: "Audit", row: dict[str, Any]) -> str:
    text = f"{row['operation']} ({row['amplitude']}){_of_groups(audit, row)}"
    if math.isnan(row["kept"]):
        return f"{text} changes nothing in these cells"
    bridged = _bridged(row)
    loses, resampled = _takes(audit, row)
    text += _costs(audit, row)
    if worst := _worst(audit, row, least=0.0 if loses or resampled else LOST):
        text += f"; {worst}"
    if resampled:
        text += ", by resampling or what comes in at the view's border, not by how cells lie"
    text += _gains(bridged)
    if loses and not _bound(row):
        return f"warning: {text}"
    idle = bridged and max(bridged.values()) < _LITTLE <= row["cost"]
    if idle and row["operation"] not in LYING:
        text += ": it bridges nothing; is it needed?"
    return text


def _of_groups(audit: "Audit", row: dict[str, Any]) -> str:
    """Name the groups of views that have an operation, unless all have it."""
    groups, every = row["groups"].split(", "), audit.operations["groups"].str.split(", ").explode()
    return f" of {listed(groups)}" if len(groups) < every.nunique() else ""


def _takes(audit: "Audit", row: dict[str, Any]) -> tuple[bool, bool]:
    """Tell whether an operation takes what is worth a warning, and whether it does so by resampling alone."""
    if audit.label is None:
        return row["cost"] >= _COSTLY, False
    fewer = _fewer(audit, row)
    own = fewer.where(_by_lying(audit, row), 0.0) if row["operation"] in LYING else fewer
    loses = own.mean() >= _FEWER
    return loses, fewer.mean() >= _FEWER and not loses


def _costs(audit: "Audit", row: dict[str, Any]) -> str:
    """Say which properties an operation erases, and what that costs."""
    bound, cost = _bound(row), row["cost"]
    kind = "contrast" if audit.label is not None else _WELLS
    properties = [] if bound else _erased(audit, row)
    told = f" erases {', '.join(properties)}:" if properties else ""
    if math.isnan(cost):
        told += f" no {kind} is there to lose"
    else:
        told += f" costs {bound}{max(cost, 0.0):.0%} of the {kind}"
    if bound:
        kept = f"{row['kept']:.0%} of views or more"
        return f"{told} (it leaves every place as it is in {kept}, where an encoder may look)"
    if row["cost_as_read"] - cost >= _COSTLY:
        told += f", {row['cost_as_read']:.0%} unless the encoder learns to allow for it"
    return told


def _bound(row: dict[str, Any]) -> str:
    """Say "at most" of the cost of what hides parts of a cell now here, now there.

    What its measures lose by a hidden part or channel, an encoder may find in the rest: in short
    trainings on simulated cells nothing was lost of labels in direction, place or number of spots,
    and, by channels blanked in 5 or 15 of 100 views, of three labels of four; the fourth was a ratio
    of sizes seen in two channels.
    """
    return "at most " if row["kept"] >= _HERE_AND_THERE else ""


def _bridged(row: dict[str, Any]) -> dict[str, float]:
    """Give the nuisances that an operation was measured against, by name."""
    start = "bridged "
    named = {key.removeprefix(start): row[key] for key in row if key.startswith(start)}
    # Below 0 is chance: so few cells a plate do not tell.
    return {name: max(share, 0.0) for name, share in named.items() if not math.isnan(share)}


def _gains(bridged: dict[str, float]) -> str:
    """Say what of nuisances is bridged; nothing where none was measured."""
    gains = [f"{share:.0%} of what {name} differs by" for name, share in bridged.items()]
    return f"; bridges {' and '.join(gains)}" if gains else ""


def _rows(table: pd.DataFrame, row: dict[str, Any]) -> pd.DataFrame:
    """Choose another table's rows of the same case."""
    keys = ["reference", "operation", "amplitude", "share"]
    return table if table.empty else table[(table[keys] == [row[key] for key in keys]).all(axis=1)]


def _erased(audit: "Audit", row: dict[str, Any]) -> list[str]:
    """Name the properties that are erased, the most first."""
    own = _rows(audit.properties, row)
    if own.empty:
        return []
    gone = own[own["erased"] >= _ERASED].sort_values("erased", ascending=False, kind="stable")
    if row["operation"] in LYING:
        gone = gone[_laid(gone["property"])]
    names = gone["property"].tolist()
    more = [f"{len(names) - _MOST} more"] if len(names) > _MOST else []
    return [*names[:_MOST], *more]


def _fewer(audit: "Audit", row: dict[str, Any]) -> "pd.Series[float]":
    """Say what share of cells is put right between two classes before, and no more after, of each pair."""
    own = _rows(audit.contrasts, row)
    if own.empty:
        return pd.Series([0.0])
    before, after = (norm.cdf(own[when] / 2) for when in ("before", "after"))
    return pd.Series(before - after, index=own.index)


def _by_lying(audit: "Audit", row: dict[str, Any]) -> "pd.Series[bool]":
    """Tell which pairs lose by how cells lie, or by what has no name."""
    own = _rows(audit.contrasts, row)
    return pd.Series([False]) if own.empty else _laid(own["through"]) | (own["through"] == "")


def _laid(properties: "pd.Series[str]") -> "pd.Series[bool]":
    """Tell which properties, such as "place of DNA", change as a cell is turned, mirrored or shifted."""
    return properties.str.startswith(tuple(f"{name} of " for name in LAID))


def _worst(audit: "Audit", row: dict[str, Any], *, least: float) -> str:
    """Name the contrast that loses most, and the property that carried it."""
    own = _rows(audit.contrasts, row)
    if own.empty:
        return ""
    worst = own.iloc[int(own["lost"].to_numpy().argmax())]
    if worst["lost"] < least:
        return ""
    through = f", through {worst['through']}" if worst["through"] else ""
    before, after = (norm.cdf(worst[when] / 2) for when in ("before", "after"))
    clear = worst["before"] > CLEAR  # what lies beyond was none to lose
    start = f"over {CLEAR:g}" if clear else f"{worst['before']:.1f}"
    return (
        f"{worst['class_a']} against {worst['class_b']} loses {worst['lost']:.0%} (d' "
        f"{start} to {worst['after']:.1f}: {before:.0%} of cells put right, then "
        f"{after:.0%}{through})"
    )


def _whole(audit: "Audit", row: dict[str, Any]) -> str:
    """Say what is left after all operations together."""
    gains = _gains(_bridged(row)) + _still_apart(audit, row)
    if audit.label is not None:
        return _outlook(audit, row) + gains
    if math.isnan(row["cost"]):
        return f"{row['operation']}: no {_WELLS} is there to lose{gains}"
    return f"{row['operation']}: costs {row['cost']:.0%} of the {_WELLS}{gains}"


def _outlook(audit: "Audit", row: dict[str, Any]) -> str:
    """Say how well two classes are told after all operations together, beside intensity statistics alone."""
    outlook = _rows(audit.outlook, row).iloc[0]
    before, plain = outlook["before"], outlook["intensity"]
    after = min(outlook["after"], before)  # no view tells more: beyond is chance
    text = (
        f"{row['operation']}: two classes are told apart in {after:.0%} of cells ({before:.0%} before any view, "
        f"{plain:.0%} by intensity statistics alone)"
    )
    untold = _rows(audit.contrasts, row).empty
    if after <= plain - _BELOW and not untold:
        return (
            f"warning: {text}; expect an encoder trained so to end below intensity statistics"
            f"{_mostly_for(audit, row)}"
        )
    if untold or max(before, plain) < norm.cdf(VISIBLE / 2):
        return f"{text}; so little is told of them before any view that nothing can be said"
    if after < plain:
        text += "; too near to say whether an encoder trained so ends below intensity statistics"
    else:
        text += "; no less than intensity statistics tell"
    if before - after < _BELOW:  # else above intensity is no all-clear
        return text
    gone = round(100 * before) - round(100 * after)
    text += f", but {gone} cells of 100 fewer than before{_mostly_for(audit, row)}"
    most = before - after >= _MOST_GONE * (before - 0.5)
    return f"warning: {text}" if most else text


def _still_apart(audit: "Audit", row: dict[str, Any]) -> str:
    """Say how far apart nuisances lie before and after: of what lies far apart half may go, and all is told."""
    shares = _bridged(row)
    if not shares:
        return ""
    own = audit.nuisances[audit.nuisances["reference"] == row["reference"]]
    apart = own.set_index("nuisance")["separation"]
    told = [f"d' {apart[name]:.1f} to {apart[name] * (1 - n):.1f}" for name, n in shares.items()]
    return f" ({', '.join(told)})"


def _mostly_for(audit: "Audit", row: dict[str, Any]) -> str:
    """Name the costliest operation of a view, or two, and what is lost by them; nothing where it has none.

    Those whose cost is a bound, or comes of resampling, only where there is no other.
    """
    table = audit.operations
    own = table[(table["share"] == 1.0) & (table["reference"] == row["reference"])]
    own = own[~own["operation"].str.startswith(WHOLE)].sort_values("cost", ascending=False)
    own = own[[row["groups"] in groups.split(", ") for groups in own["groups"]]]
    ranked = own.to_dict("records")
    sure = [one for one in ranked if not (_bound(one) or _by_resampling(audit, one))]
    if not ranked:
        return ""
    first, *others = sure or ranked[:1]
    second = [one for one in others[:1] if one["cost"] >= first["cost"] * _SECOND]
    told = " and ".join(_with_carrier(audit, one) for one in (first, *second))
    past = [one["operation"] for one in ranked if _bound(one)]
    if not past:
        return f", mostly for {told}"
    hides = f"what {listed(past)} hide{'s' * (len(past) == 1)}"
    return f", mostly for {told}, if it does not learn to look past {hides}"


def _by_resampling(audit: "Audit", row: dict[str, Any]) -> bool:
    """Tell what turns or shifts cells, and takes nothing by how they lie."""
    return row["operation"] in LYING and not _by_lying(audit, row).any()


def _with_carrier(audit: "Audit", row: dict[str, Any]) -> str:
    """Name an operation, and the property by whose loss contrasts lose most in all."""
    own = _rows(audit.contrasts, row)
    gone = "" if own.empty else own.groupby("through", sort=False)["lost"].sum().idxmax()
    return f"{row['operation']} ({gone})" if gone else str(row["operation"])

"""How far weak labels mislead on the plates that they were taken from."""

from cellssl.phenotypes import score_difference
from cellssl.phenotypes.evaluation.metrics import TITLES, TOGETHER
from cellssl.phenotypes.leakage import USED_PLATES, marked
from cellssl.report.page import Section, Table
from cellssl.studies.outcome import Outcome
from cellssl.words import gain, with_interval


def used_plates_section(outcome: Outcome) -> Section | None:
    """Set the scores on used plates beside those on held-out ones; None where they were not asked for."""
    means = outcome.means
    found = {
        (str(row["subset"]), str(row["embedding"]), str(row["metric"])): row
        for _, row in means.iterrows()
    }
    if all(subset != USED_PLATES for subset, _, _ in found):
        return None
    names = list(dict.fromkeys(means["embedding"].astype(str)))
    rows = []
    for name in names:
        shown = marked(name, means.loc[means["embedding"] == name, "weak"].any())
        for metric in TOGETHER:
            cells: list[str] = []
            for subset in ("all", USED_PLATES):
                if (subset, name, metric) in found:
                    row = found[subset, name, metric]
                    cells.append(with_interval(row["value"], row["low"], row["high"]))
                    cells.append(_more(outcome, name, names[0], metric, subset))
            if len(cells) == 4:
                rows.append([shown, TITLES[metric], *cells])
    more = f"more than {names[0]}"
    heads = ["", "score", "held-out plates", f"{more} there", USED_PLATES, f"{more} on these"]
    caption = (
        "Plates whose labels no training used, beside those whose labels the trainings marked † were "
        "given. What a † gains on the second and not on the first is what its labels told: it says "
        "nothing of new plates. * apart: the 95 % interval, paired over seeds and treatments, excludes 0."
    )
    table = Table(heads, rows, caption=caption, numeric=heads[2:])
    return Section("used-plates", "Used plates", "Where weak labels were used", [table])


def _more(outcome: Outcome, name: str, first: str, metric: str, subset: str) -> str:
    """Say how much more an embedding has than the first one; nothing of itself."""
    if name == first:
        return ""
    table = outcome.measured.differences()
    row = score_difference(table, name, first, metric=metric, subset=subset)
    return gain(row["difference"], row["low"], row["high"]) + " *" * bool(row["apart"])

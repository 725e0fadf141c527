"""Phenotypes and the biology behind each, and the simulated compounds that cause them."""

from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class Morphology:
    """What a cell looks like on average; the defaults are an untreated MCF-7 cell.

    Lengths are in pixels at 20x (about 0.65 µm). Shares are of a stain's total in the cell, which a
    phenotype redistributes rather than changes: so no mean intensity alone gives it away.
    """

    nucleus_radius: float = 14.0
    nucleus_lobes: float = 0.03
    """Amplitude of the nucleus's departure from an ellipse, as a share of its radius."""
    dna_texture: float = 0.16
    """Contrast of chromatin texture."""
    dna_content: float = 1.0
    """Genomes, relative to a cell before replication."""
    cell_radius: float = 41.0
    cell_spread: float = 0.40
    """Length of protrusions, as a share of the radius; 0 is a round cell."""
    mitotic: float = 0.03
    """Share of cells in mitosis, or arrested there."""
    tubulin_fibres: float = 0.60
    """Share of tubulin in microtubules; the rest is dissolved."""
    tubulin_collapse: float = 0.22
    """Share of dissolved tubulin that lies close around the nucleus."""
    microtubule_length: float = 44.0
    actin_cortex: float = 0.20
    """Share of actin in the cortex."""
    actin_fibres: float = 0.18
    """Share of actin in stress fibres."""
    actin_patches: float = 0.02
    """Share of actin in aggregates."""
    actin_nuclear: float = 0.02
    """Share of actin inside the nucleus."""


PHENOTYPES = {
    # Untreated cells (DMSO): an oval nucleus with a few nucleoli; microtubules all over the cell, dense around the
    # nucleus, along the edge where they reach it; actin in the cortex and in parallel stress fibres; islands of
    # cells in contact.
    "control": Morphology(),
    # Tubulin cannot polymerise (as under nocodazole, vincristine, colchicine). Fibres vanish, dissolved tubulin
    # collapses around the nucleus, the cell retracts, and the checkpoint holds cells in mitosis; those that slip
    # through have lobed nuclei.
    "microtubule-destabiliser": Morphology(
        tubulin_fibres=0.12,
        tubulin_collapse=0.60,
        microtubule_length=12.0,
        cell_radius=34.0,
        cell_spread=0.15,
        nucleus_lobes=0.11,
        mitotic=0.10,
    ),
    # Actin filaments are capped and severed (as under cytochalasin B and D, latrunculin). Stress fibres and cortex
    # dissolve into bright aggregates; without tension the cell body contracts and leaves thin arms behind.
    # Microtubules and nucleus stay much as they were.
    "actin-disruptor": Morphology(
        actin_fibres=0.03,
        actin_cortex=0.11,
        actin_patches=0.28,
        cell_radius=35.0,
        cell_spread=0.80,
        microtubule_length=34.0,
    ),
    # Cells copy their genome but fail to divide (as under inhibitors of Aurora kinases). DNA content doubles and
    # doubles again; nuclei are large and irregular, at unchanged DNA concentration, so that they are no brighter;
    # cells are large and flat. None is in mitosis.
    "polyploid": Morphology(
        nucleus_radius=20.0,
        nucleus_lobes=0.08,
        dna_content=2.1,
        cell_radius=47.0,
        mitotic=0.0,
    ),
    # Nuclear export of actin is blocked (as when its exporter, exportin 6, is lost). Actin moves from the cytoplasm
    # into the nucleus, its total unchanged; shapes stay as they were. Only where the signal lies relative to the
    # nucleus tells these cells from untreated ones. Source: Stueven, Hartmann, Goerlich, EMBO J. 22 (2003) 5928.
    "nuclear-accumulation": Morphology(actin_nuclear=0.28, actin_fibres=0.10, actin_cortex=0.15),
}


@dataclass(frozen=True)
class Treatment:
    """A compound at a concentration, and what it does to cells.

    Attributes
    ----------
    compound, concentration, moa
        As they stand in image.csv and moa.csv; the concentration in µM.
    phenotype
        A key of `PHENOTYPES`.
    strength
        How far the average cell goes towards the phenotype (0 to 1).
    survival
        Number of cells relative to the control.
    """

    compound: str
    concentration: float
    moa: str
    phenotype: str
    strength: float = 1.0
    survival: float = 1.0


DMSO = Treatment("DMSO", 0.0, "DMSO", "control")

# Kind of compound → mechanism, phenotype.
_KINDS = {
    "microtubule-destabiliser": ("Microtubule destabilizers", "microtubule-destabiliser"),
    "actin-disruptor": ("Actin disruptors", "actin-disruptor"),
    "aurora-inhibitor": ("Aurora kinase inhibitors", "polyploid"),
    "export-inhibitor": ("Nuclear export inhibitors", "nuclear-accumulation"),
}


def _compound(kind: str, number: int, concentration: float, survival: float) -> Treatment:
    """Name a compound of a kind; the second acts less."""
    strength = 1.0 if number == 1 else 0.8
    return Treatment(f"simulated-{kind}-{number}", concentration, *_KINDS[kind], strength, survival)


# In this order a small plate, too, has every phenotype before any has a second compound.
TREATMENTS: tuple[Treatment, ...] = (
    _compound("microtubule-destabiliser", 1, 0.3, 0.75),
    _compound("actin-disruptor", 1, 10.0, 0.9),
    _compound("aurora-inhibitor", 1, 1.0, 0.65),
    _compound("export-inhibitor", 1, 0.1, 1.0),
    _compound("microtubule-destabiliser", 2, 3.0, 0.85),
    _compound("actin-disruptor", 2, 3.0, 0.8),
    _compound("aurora-inhibitor", 2, 0.3, 0.75),
    _compound("export-inhibitor", 2, 1.0, 0.9),
)


def morphologies(
    treatment: Treatment, number: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw `number` cells of a treatment: each responds more or less, and differs anyhow.

    Returns
    -------
    dict of np.ndarray
        Per field of `Morphology` an array of length `number`, and `is_mitotic` (bool).
    """
    responses = np.clip(rng.normal(treatment.strength, 0.15, number), 0, 1.2)
    whole = PHENOTYPES[treatment.phenotype]
    cells = {
        name: np.maximum(start + responses * (getattr(whole, name) - start), 0)
        for name, start in asdict(PHENOTYPES["control"]).items()
    }
    replicated = rng.beta(0.5, 0.8, number)  # most cells before or after replication, few amid it
    cells["dna_content"] *= 1 + replicated
    cells["nucleus_radius"] *= (1 + 0.16 * replicated) * np.exp(rng.normal(0, 0.06, number))
    cells["cell_radius"] *= np.exp(rng.normal(0, 0.10, number))
    cells["microtubule_length"] *= np.exp(rng.normal(0, 0.15, number))
    cells["is_mitotic"] = rng.random(number) < cells["mitotic"]
    return cells

"""Simulated plates: MCF-7-like cells with known outlines, counts, phenotypes and batch effects."""

from cellssl.plates.simulation.phenotypes import PHENOTYPES, TREATMENTS, Morphology, Treatment
from cellssl.plates.simulation.plate import SimulatedPlate, simulate

__all__ = ["PHENOTYPES", "TREATMENTS", "Morphology", "SimulatedPlate", "Treatment", "simulate"]

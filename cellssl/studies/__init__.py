"""Experiments: one protocol trained on crops, and several compared with baselines."""

from cellssl.studies.baselines import BASELINES, Baseline, plan_baselines
from cellssl.studies.comparison import Comparison, compare
from cellssl.studies.experiment import train
from cellssl.studies.ledger import Ledger, fingerprint
from cellssl.studies.suitability import check_crops

__all__ = [
    "BASELINES",
    "Baseline",
    "Comparison",
    "Ledger",
    "check_crops",
    "compare",
    "fingerprint",
    "plan_baselines",
    "train",
]

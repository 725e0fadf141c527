"""Experiments: one protocol trained on crops, and several compared with baselines."""

from cellssl.studies.comparison import Comparison, compare
from cellssl.studies.experiment import BASELINES, embed_baseline, train
from cellssl.studies.ledger import Ledger, fingerprint

__all__ = ["BASELINES", "Comparison", "Ledger", "compare", "embed_baseline", "fingerprint", "train"]

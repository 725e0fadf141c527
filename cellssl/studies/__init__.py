"""Experiments: one protocol trained on crops, several compared, studies of many, and the ceiling beside them."""

from cellssl.studies.audit.agreement import pooled_agreement
from cellssl.studies.audit.audit import Audit, audit
from cellssl.studies.audit.ranking import Ranking, rank_settings
from cellssl.studies.audit.suggestion import Suggestion, suggest
from cellssl.studies.audit.trained import Invariances, invariances
from cellssl.studies.baselines import BASELINES, Baseline, plan_baselines
from cellssl.studies.bias import class_correlations, class_table
from cellssl.studies.ceiling import Ceiling, ceiling
from cellssl.studies.comparison import Comparison, compare
from cellssl.studies.complement import Complement, complement
from cellssl.studies.contents import Contents, cluster_contents
from cellssl.studies.execution import carry_out, run_states
from cellssl.studies.experiment import train
from cellssl.studies.ledger import Ledger, fingerprint, orientation_inputs
from cellssl.studies.library import load_study, saved_study, study_names
from cellssl.studies.outcome import Outcome, score_study
from cellssl.studies.page import write_study_page
from cellssl.studies.planning import PlannedRun, plan_runs
from cellssl.studies.sight import sight
from cellssl.studies.study import Study, Sweep
from cellssl.studies.suitability import check_protocol
from cellssl.studies.timing import Estimate, estimate

__all__ = [
    "BASELINES",
    "Audit",
    "Baseline",
    "Ceiling",
    "Comparison",
    "Complement",
    "Contents",
    "Estimate",
    "Invariances",
    "Ledger",
    "Outcome",
    "PlannedRun",
    "Ranking",
    "Study",
    "Suggestion",
    "Sweep",
    "audit",
    "carry_out",
    "ceiling",
    "check_protocol",
    "class_correlations",
    "class_table",
    "cluster_contents",
    "compare",
    "complement",
    "estimate",
    "fingerprint",
    "invariances",
    "load_study",
    "orientation_inputs",
    "plan_baselines",
    "plan_runs",
    "pooled_agreement",
    "rank_settings",
    "run_states",
    "saved_study",
    "score_study",
    "sight",
    "study_names",
    "suggest",
    "train",
    "write_study_page",
]

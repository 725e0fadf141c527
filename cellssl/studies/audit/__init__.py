"""What a protocol erases and bridges: before training, after it, and chosen from some labels."""

from cellssl.studies.audit.agreement import pooled_agreement
from cellssl.studies.audit.amplitudes import at_share
from cellssl.studies.audit.audit import Audit, audit
from cellssl.studies.audit.ranking import Ranking, rank_settings
from cellssl.studies.audit.suggestion import Suggestion, suggest
from cellssl.studies.audit.trained import Invariances, invariances

__all__ = [
    "Audit",
    "Invariances",
    "Ranking",
    "Suggestion",
    "at_share",
    "audit",
    "invariances",
    "pooled_agreement",
    "rank_settings",
    "suggest",
]

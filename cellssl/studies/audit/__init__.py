"""What a protocol erases and bridges: before training, after it, and chosen from some labels."""

from cellssl.studies.audit.amplitudes import at_share
from cellssl.studies.audit.audit import Audit, audit

__all__ = ["Audit", "at_share", "audit"]

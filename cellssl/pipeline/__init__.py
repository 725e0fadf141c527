"""The main job, stage by stage, and its demonstration on a simulated plate."""

from cellssl.pipeline.demo import demo
from cellssl.pipeline.doctor import Finding, doctor
from cellssl.pipeline.run import RunResult, run

__all__ = ["Finding", "RunResult", "demo", "doctor", "run"]

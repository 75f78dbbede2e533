"""The SDK: what users import. Names and behaviour are Azure ML's; docs/sdk.md tells all."""

from runhistory.sdk.compute_target import ComputeTarget as ComputeTarget
from runhistory.sdk.config import Environment as Environment
from runhistory.sdk.config import ScriptRunConfig as ScriptRunConfig
from runhistory.sdk.experiment import Experiment as Experiment
from runhistory.sdk.run import Run as Run
from runhistory.sdk.workspace import Workspace as Workspace

__all__ = ["ComputeTarget", "Environment", "Experiment", "Run", "ScriptRunConfig", "Workspace"]

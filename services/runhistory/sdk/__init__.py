"""The SDK: what users import. Names and behaviour are Azure ML's; docs/sdk.md tells all."""

from runhistory.sdk.compute_target import ComputeTarget as ComputeTarget
from runhistory.sdk.config import RunConfiguration as RunConfiguration
from runhistory.sdk.config import ScriptRunConfig as ScriptRunConfig
from runhistory.sdk.environment import CondaDependencies as CondaDependencies
from runhistory.sdk.environment import Environment as Environment
from runhistory.sdk.experiment import Experiment as Experiment
from runhistory.sdk.run import Run as Run
from runhistory.sdk.workspace import Workspace as Workspace

__all__ = [
    "ComputeTarget",
    "CondaDependencies",
    "Environment",
    "Experiment",
    "Run",
    "RunConfiguration",
    "ScriptRunConfig",
    "Workspace",
]

"""runhistory: an event-sourced Run History for machine learning.

    from runhistory import Workspace, Experiment, Run, ScriptRunConfig

The names are loaded when they are first used, so importing the package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runhistory.sdk import ComputeTarget as ComputeTarget
    from runhistory.sdk import Environment as Environment
    from runhistory.sdk import Experiment as Experiment
    from runhistory.sdk import Run as Run
    from runhistory.sdk import ScriptRunConfig as ScriptRunConfig
    from runhistory.sdk import Workspace as Workspace

__version__ = "0.1.0"
__all__ = ["ComputeTarget", "Environment", "Experiment", "Run", "ScriptRunConfig", "Workspace"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("runhistory.sdk"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

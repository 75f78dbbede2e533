"""runhistory: an event-sourced Run History for machine learning.

    from runhistory import Workspace, Experiment, Run, ScriptRunConfig

The names are loaded when they are first used, so importing the package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runhistory.sdk import ComputeTarget as ComputeTarget
    from runhistory.sdk import CondaDependencies as CondaDependencies
    from runhistory.sdk import Environment as Environment
    from runhistory.sdk import Experiment as Experiment
    from runhistory.sdk import Run as Run
    from runhistory.sdk import RunConfiguration as RunConfiguration
    from runhistory.sdk import ScriptRunConfig as ScriptRunConfig
    from runhistory.sdk import Workspace as Workspace
    from runhistory.sdk.async_workspace import AsyncWorkspace as AsyncWorkspace

__version__ = "0.1.0"
__all__ = [
    "AsyncWorkspace",
    "ComputeTarget",
    "CondaDependencies",
    "Environment",
    "Experiment",
    "Run",
    "RunConfiguration",
    "ScriptRunConfig",
    "Workspace",
]


def __getattr__(name: str) -> Any:
    if name == "AsyncWorkspace":  # alone, as only those who have an event loop need it
        return import_module("runhistory.sdk.async_workspace").AsyncWorkspace
    if name in __all__:
        return getattr(import_module("runhistory.sdk"), name)
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from runhistory.sdk.refusals import refuse_import

    refuse_import(name)

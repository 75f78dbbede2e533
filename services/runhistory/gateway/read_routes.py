"""Reads."""

from typing import Any

HANDLERS: tuple[Any, ...] = ()


async def require_run(request: Any, workspace: str, run_id: str) -> None:
    """x"""

"""Reads."""

HANDLERS = ()


async def require_run(request, workspace, run_id):
    """x"""

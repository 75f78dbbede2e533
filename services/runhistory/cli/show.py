"""`runhistory show`: everything about one run, but its points and lines."""

import shlex
from typing import Annotated, Any

import typer

from runhistory.cli import console, words
from runhistory.cli.reading import AsJson, RunReference, open_run
from runhistory.cli.table import STATUS_STYLES


def show(
    run: RunReference,
    ingestion: Annotated[
        bool,
        typer.Option(
            "--ingestion",
            help="Instead: did everything arrive? The batches of each writer, those that are "
            "missing, and those that were sent again with other content.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show a run: how it went, and why it failed.

    \b
    Examples:
      runhistory show @latest
      runhistory show 0193a7 --json
      runhistory show @latest --ingestion
    """
    client = open_run(run)
    if ingestion:
        _show_ingestion(client.ingestion(), as_json)
        return
    details = client.details()
    if as_json:
        console.say_json(details)
        return
    style = STATUS_STYLES.get(details["status"], "bold")
    console.say(f"{details['display_name']}: {details['status']}", style)
    for name, value in _facts(details):
        console.say(f"  {name:<12} {value}")
    _print_timeline(details.get("timeline") or [])
    for warning in details.get("warnings") or []:
        moment = words.moment(warning["time"])
        console.say(f"  {moment}  {warning['code']}: {warning['message']}", "yellow")
    print_error(details)


def _show_ingestion(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        console.say_json(answer)
        return
    from runhistory.cli.ingestion import print_ingestion
    from runhistory.sdk.run_ingestion import as_ingestion

    print_ingestion(as_ingestion(answer))


def print_error(details: dict[str, Any]) -> None:
    """Why the run failed, where it did."""
    error = details.get("error")
    if not error:
        return
    console.say(f"{error['code']}: {error['message']}", "red")
    for line in (error.get("details") or "").splitlines():
        console.say(f"  {line}")


def _facts(details: dict[str, Any]) -> list[tuple[str, str]]:
    spec = details.get("spec") or {}
    resources = spec.get("resources") or {}
    called = spec.get("command") or [spec.get("script", ""), *spec.get("arguments", ())]
    took = words.duration(details["started"], details.get("ended"))
    facts = {
        "id": details["run_id"],
        "experiment": details["experiment"],
        "description": details.get("description"),
        "created": f"{words.moment(details.get('created'))} by {details.get('created_by') or '?'}",
        "ran for": took if details.get("started") else None,
        "attempt": details.get("attempt"),
        "script": shlex.join(called) if spec else None,
        "at most": words.span(limit) if (limit := spec.get("max_duration_seconds")) else None,
        "target": spec.get("compute_target"),
        "slots": resources.get("slots"),
        "gpus": " ".join(details.get("gpus") or ()) or resources.get("gpus"),
        "worker": " on ".join(filter(None, (details.get("worker_id"), details.get("node")))),
        "cancelled": details.get("cancel_reason"),
        "exit code": details.get("exit_code"),
        "signal": details.get("signal"),
        "snapshot": details.get("snapshot_id"),
        "python": _environment(details.get("environment") or {}),
        "parent": details.get("parent_run_id"),
        "children": details.get("children") or None,
        "reproduces": details.get("reproduces"),
        "archived": "yes" if details.get("archived") else None,
    }
    found = [(name, str(value)) for name, value in facts.items() if value not in (None, "", {})]
    for group in ("tags", "properties", "params"):
        found += [(group, f"{name} = {value}") for name, value in sorted(details[group].items())]
    return found


def _print_timeline(timeline: list[dict[str, Any]]) -> None:
    if timeline:
        console.say("  timeline")
    ends = [point["time"] for point in timeline[1:]]
    for point, end in zip(timeline, [*ends, None], strict=True):
        stayed = words.duration(point["time"], end) if end else ""
        console.say(f"    {words.moment(point['time'])}  {point['status']:<15} {stayed}".rstrip())


def _environment(environment: dict[str, Any]) -> str | None:
    """What it really ran in, once that was recorded."""
    if not environment:
        return None
    count = environment.get("packages_count") or 0
    where = " ".join(filter(None, (environment.get("platform"), environment.get("machine"))))
    return f"{environment['python_version']}, {count} packages{f', {where}' if where else ''}"

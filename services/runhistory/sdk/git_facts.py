"""Where a folder of code stands in git: repository, branch, commit and dirty, as properties."""

import os
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

SECONDS: Final = 10.0


def git_facts(folder: str | os.PathLike[str]) -> dict[str, str]:
    """The properties `git.repository`, `git.branch`, `git.commit` and `git.dirty` of `folder`.

    Empty when the folder is in no repository or there is no git; a fact that git cannot tell
    (no remote, a detached head) is left out. `git.dirty` looks at the folder alone.
    """
    if not _may_be_in_a_repository(folder):
        return {}  # without starting a process: a program may make thousands of runs
    import shutil  # not needed by `import runhistory`

    git = shutil.which("git")
    commit = _ask(git, folder, "rev-parse", "HEAD") if git else None
    if git is None or commit is None:
        return {}
    remote = _ask(git, folder, "config", "--get", "remote.origin.url")
    changes = _ask(git, folder, "status", "--porcelain", "--untracked-files=normal", "--", ".")
    facts = {
        "git.repository": without_password(remote) if remote else None,
        "git.branch": _ask(git, folder, "symbolic-ref", "--quiet", "--short", "HEAD"),
        "git.commit": commit,
        "git.dirty": None if changes is None else str(bool(changes)).lower(),
    }
    return {name: value for name, value in facts.items() if value}


def _may_be_in_a_repository(folder: str | os.PathLike[str]) -> bool:
    """Whether git would find one: by its own variables, or by a `.git` here or above."""
    if "GIT_DIR" in os.environ:
        return True
    place = Path(folder).resolve()
    return any((one / ".git").exists() for one in (place, *place.parents))


def without_password(remote: str) -> str:
    """A remote's URL without what stands before the `@`: that may be a token."""
    parts = urlsplit(remote)
    if parts.scheme not in ("http", "https") or "@" not in parts.netloc:
        return remote
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _ask(git: str, folder: str | os.PathLike[str], *arguments: str) -> str | None:
    """What git answers, without the end of line; None when it cannot."""
    import subprocess

    try:
        answer = subprocess.run(
            [git, "-C", os.fspath(folder), *arguments],
            capture_output=True,
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if answer.returncode != 0:
        return None
    return answer.stdout.decode(errors="replace").strip()

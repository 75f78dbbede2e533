"""The part of `Run` that keeps files, gives them back, and holds the exact code."""

import builtins
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final

from runhistory.sdk import kept_files
from runhistory.sdk.errors import Conflict, InvalidRequest
from runhistory.sdk.refusals import refuse
from runhistory.sdk.run_facts import RunFacts

_DATASTORE: Final = "files lie in the deployment's own object store; leave it out"


class RunFiles(RunFacts):
    """Files are kept by name, which is a relative path; the same name again is the newer file."""

    def upload_file(
        self, name: str, path_or_stream: str | Path | IO[bytes], datastore_name: None = None
    ) -> None:
        """Keep a file's bytes under `name`.

        Raises:
            InvalidRequest: the name climbs out, or there is no such file.
        """
        refuse("Run.upload_file", datastore_name=(datastore_name, _DATASTORE))
        content = kept_files.content_of(name, path_or_stream)
        self._client.put_file(self.attempt, name, content)

    def upload_files(
        self,
        names: Sequence[str],
        paths: Sequence[str | Path],
        return_artifacts: bool = False,
        timeout_seconds: None = None,
        datastore_name: None = None,
    ) -> None:
        """Keep several files: `paths[i]` under `names[i]`. All are looked at before any is sent.

        Raises:
            InvalidRequest: the lists differ in length, a name climbs out, or a file is not there.
        """
        refuse(
            "Run.upload_files",
            return_artifacts=(return_artifacts or None, "get_file_names() lists what is kept"),
            timeout_seconds=(timeout_seconds, "each request is repeated for a minute at most"),
            datastore_name=(datastore_name, _DATASTORE),
        )
        if isinstance(names, str) or isinstance(paths, str) or len(names) != len(paths):
            raise InvalidRequest("names and paths are two lists of the same length.")
        contents = [
            (name, kept_files.content_of(name, path))
            for name, path in zip(names, paths, strict=True)
        ]
        for name, content in contents:
            self._client.put_file(self.attempt, name, content)

    def upload_folder(self, name: str, path: str | Path, datastore_name: None = None) -> None:
        """Keep all files below a folder, under `name/` and their paths within it.

        Raises:
            InvalidRequest: there is no such folder, or it holds no file.
        """
        refuse("Run.upload_folder", datastore_name=(datastore_name, _DATASTORE))
        found = kept_files.files_below(Path(path))
        names = [f"{name.rstrip('/')}/{relative}" for relative in found]
        self.upload_files(names, [Path(path) / relative for relative in found])

    def download_file(self, name: str, output_file_path: str | Path | None = None) -> None:
        """Write a kept file to `output_file_path` (a folder will do; default: its last name here).

        Raises:
            NotFound: the run has no such file; the message or `details` name those it has.
        """
        kept_files.download_one(self._client, name, output_file_path)

    def download_files(
        self,
        prefix: str | None = None,
        output_directory: str | Path | None = None,
        output_paths: Sequence[str | Path] | None = None,
        batch_size: int = 100,
        append_prefix: bool = True,
        timeout_seconds: None = None,
    ) -> None:
        """Write all kept files whose names begin with `prefix` below `output_directory`.

        Args:
            prefix: such as `outputs/`; all files, without.
            output_directory: default: here. Files keep their names below it, unless
                `append_prefix` is false: then without the prefix.
            output_paths: where to write them instead, in the order of their sorted names.
            batch_size: Azure ML's; files are fetched one after the other here.

        Raises:
            InvalidRequest: `output_paths` are not as many as the files.
            NotFound: no kept file has the prefix; `details["files"]` are those there are.
        """
        refuse(
            "Run.download_files",
            timeout_seconds=(timeout_seconds, "each download is begun anew for a minute at most"),
        )
        kept_files.download_some(
            self._client,
            prefix or "",
            Path(output_directory or "."),
            None if output_paths is None else [Path(path) for path in output_paths],
            append_prefix=append_prefix,
        )

    def get_file_names(self) -> builtins.list[str]:
        """The names of all files that it kept."""
        return sorted(file["name"] for file in self._client.files())

    def get_all_logs(self, destination: str | Path | None = None) -> builtins.list[str]:
        """Write the console and the files under `logs/` below `destination` (default: a folder
        named by the run id) and return their paths."""
        return kept_files.download_logs(self._client, Path(destination or self.id))

    def get_details_with_logs(self) -> dict[str, Any]:
        """`get_details()`, where `logFiles` has the text of each log by its name: of the console
        (`user_logs/std_log.txt`) and of the files under `logs/`."""
        return {**self.get_details(), "logFiles": kept_files.log_texts(self._client)}

    def take_snapshot(self, file_or_folder_path: str | Path) -> str:
        """Keep the exact code of a run that has none yet, as `submit` does; returns its id.

        `.amlignore` at the folder's root decides what is in it.

        Raises:
            Conflict: the run has a snapshot already.
            InvalidConfig: the folder cannot be taken.
        """
        from runhistory.sdk.snapshot_upload import keep_snapshot

        snapshot_id = keep_snapshot(self._client.connection, Path(file_or_folder_path))
        if self._client.command("take_snapshot", snapshot_id=snapshot_id)["outcome"] == "unchanged":
            raise Conflict(f"Run {self.id} has this snapshot already.", code="snapshot_exists")
        self._note(snapshot_id=snapshot_id)
        return snapshot_id

    def restore_snapshot(
        self, snapshot_id: str | None = None, path: str | Path | None = None
    ) -> str:
        """Write its exact code as a zip into the folder `path` (default: here); returns its path.

        Raises:
            NotFound: the run has no snapshot.
        """
        return kept_files.restore(
            self._client, snapshot_id or self.get_snapshot_id(), Path(path or ".")
        )

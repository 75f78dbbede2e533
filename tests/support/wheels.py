"""Small packages for tests: as wheels in an index of their own, and as installed files."""

import base64
import hashlib
import http.server
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def wheel_files(name: str, version: str, files: dict[str, str]) -> dict[str, str]:
    """What a wheel of `files` holds, its RECORD included."""
    info = f"{name}-{version}.dist-info"
    content = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
    }
    rows = [f"{path},{_digest(text)},{len(text.encode())}" for path, text in content.items()]
    return {**content, f"{info}/RECORD": "\n".join([*rows, f"{info}/RECORD,,", ""])}


def write_wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> str:
    """Put a wheel into `folder`; returns its SHA-256."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in wheel_files(name, version, files).items():
            archive.writestr(zipfile.ZipInfo(inside), text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def install_files(
    folder: Path,
    name: str,
    version: str,
    files: dict[str, str],
    *,
    installer: str = "tests",
    bytecode: str = "",
    url: str = "",
) -> None:
    """Lay a wheel's files out as an installer does, with what installers add."""
    content = wheel_files(name, version, files)
    info = f"{name}-{version}.dist-info"
    added = {f"{info}/INSTALLER": f"{installer}\n", f"{info}/REQUESTED": ""}
    if url:
        added[f"{info}/direct_url.json"] = url
    if bytecode:
        added[f"__pycache__/{name}.cpython-311.pyc"] = ""
    rows = [f"{path},{_digest(text)},{len(text)}" for path, text in added.items()]
    content[f"{info}/RECORD"] += "".join(f"{row}\n" for row in [*rows, f"../../../bin/{name},,"])
    for path, text in {**content, **added}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


@contextmanager
def package_index(wheels: Path) -> Iterator[str]:
    """A package index on loopback of the wheels that are in the folder at the time: its URL."""

    class Index(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            *_, parent, name = self.path.strip("/").split("/")
            if parent == "files":
                self._answer((wheels / name).read_bytes(), "application/zip")
                return
            found = sorted(wheels.glob(f"{name.replace('-', '_')}-*.whl"))
            links = "".join(
                f'<a href="/files/{p.name}#sha256={_hex(p)}">{p.name}</a>' for p in found
            )
            if found:
                self._answer(f"<!DOCTYPE html><html>{links}</html>".encode(), "text/html")
            else:
                self.send_error(404)

        def _answer(self, body: bytes, content_type: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, format: str, *_: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/simple"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _hex(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

"""What the pictured worker says of its machine: pictures shall not name the one that takes them.

Python imports it where it starts with this folder on PYTHONPATH.
"""

import platform
import socket
from typing import Any, Final

_HOST: Final = "gpu-01"
_PLATFORM: Final = "Linux-6.8.0-45-generic-x86_64-with-glibc2.39"


def _host() -> str:
    return _HOST


def _platform(*_: Any, **__: Any) -> str:
    return _PLATFORM


socket.gethostname = _host
platform.platform = _platform

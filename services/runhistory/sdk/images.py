"""Images to the bytes of a PNG or JPEG: from a file, a matplotlib figure, or an array of pixels.

matplotlib is whatever the caller hands in; Pillow is imported when an array is given.
"""

import io
from pathlib import Path
from typing import Any, Final, NamedTuple

from runhistory.sdk.errors import InvalidMetric

MAX_IMAGE_BYTES: Final = 64 * 1024 * 1024
_SIGNATURES: Final = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpg"}


class Image(NamedTuple):
    """An image's bytes, and `png` or `jpg`."""

    content: bytes
    extension: str


def image(name: str, path: Any = None, plot: Any = None, array: Any = None) -> Image:
    """The one image that was given.

    Raises:
        InvalidMetric: none or several were given, or what was given is no image.
    """
    if sum(given is not None for given in (path, plot, array)) != 1:
        raise InvalidMetric(
            f"Image {name!r}: give one of path=, plot= (a matplotlib figure, or pyplot) and array=."
        )
    if path is not None:
        found = _from_path(name, path)
    elif plot is not None:
        found = _from_plot(name, plot)
    else:
        found = _from_array(name, array)
    if len(found.content) > MAX_IMAGE_BYTES:
        raise InvalidMetric(
            f"Image {name!r} has {len(found.content):,} bytes, and {MAX_IMAGE_BYTES:,} are "
            "allowed. Make it smaller, or keep it with upload_file."
        )
    return found


def _from_path(name: str, path: Any) -> Image:
    try:
        content = Path(path).read_bytes()
    except (OSError, TypeError) as error:
        raise InvalidMetric(f"Image {name!r}: {path!r} cannot be read: {error}") from error
    for signature, extension in _SIGNATURES.items():
        if content.startswith(signature):
            return Image(content, extension)
    raise InvalidMetric(
        f"Image {name!r}: {str(path)!r} is no PNG or JPEG. Convert it, or keep it with upload_file."
    )


def _from_plot(name: str, plot: Any) -> Image:
    if not callable(getattr(plot, "savefig", None)):
        raise InvalidMetric(
            f"Image {name!r}: plot is a {type(plot).__name__}, which has no savefig. Give "
            "matplotlib's figure, or the pyplot module; of axes it is ax.figure."
        )
    buffer = io.BytesIO()
    plot.savefig(buffer, format="png")
    return Image(buffer.getvalue(), "png")


def _from_array(name: str, array: Any) -> Image:
    try:
        import numpy
        from PIL import Image as Pillow
    except ImportError as error:
        raise InvalidMetric(
            f"Image {name!r}: an array needs {error.name}: pip install 'runhistory[images]'."
        ) from error
    pixels = numpy.asarray(array)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    shape = "×".join(map(str, pixels.shape))
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (3, 4)):
        raise InvalidMetric(
            f"Image {name!r}: an array is H×W (grey), H×W×3 (RGB) or H×W×4 (RGBA), not {shape}."
        )
    if not pixels.size:
        raise InvalidMetric(f"Image {name!r}: the array {shape} is empty.")
    buffer = io.BytesIO()
    Pillow.fromarray(_bytes_of(name, pixels)).save(buffer, format="PNG")
    return Image(buffer.getvalue(), "png")


def _bytes_of(name: str, pixels: Any) -> Any:
    """The pixels as numbers from 0 to 255."""
    if pixels.dtype == "uint8":
        return pixels
    if pixels.dtype.kind == "b":
        return pixels.astype("uint8") * 255
    if pixels.dtype.kind == "f" and bool(((pixels >= 0) & (pixels <= 1)).all()):
        return (pixels * 255).round().astype("uint8")
    raise InvalidMetric(
        f"Image {name!r}: pixels are uint8 from 0 to 255, or floats from 0 to 1; these are "
        f"{pixels.dtype} from {pixels.min()} to {pixels.max()}."
    )

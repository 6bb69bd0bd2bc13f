"""Looks at one photo that a stranger sent, in a process of its own with little memory and time.

Run by ``photos.py`` as ``python -I photo_inspector.py <portrait|card|page> <max_bytes>``: the upload on
standard input; on standard output one line of JSON, ``{"sha256": …}`` or ``{"refused": name}``, then the
clean photo.
What is decoded here may be hostile: nothing is imported from the product, and limits are set before the
decoder is loaded. The clean photo is a JPEG made of the pixels alone: no metadata (place, time, camera),
nothing behind them.
"""

from __future__ import annotations

import hashlib
import io
import json
import resource
import sys
from typing import Any

Image = Any  # Pillow's; it is imported only after the limits are set

MEMORY_BYTES = 640 * 1024 * 1024
CPU_SECONDS = 10
MOST_WRITTEN_BYTES = 16 * 1024 * 1024
MOST_PIXELS = 25_000_000
LONGEST_SIDE_PIXELS = 2000
JPEG_QUALITY = 88
SHARPNESS_LOOKED_AT_PIXELS = 480
SHARP_ENOUGH = 20
SHAPES = {
    # ranges of width / height, least of the shorter side in pixels
    "portrait": (((0.60, 0.80),), 200),  # 4x6 cm (2:3) to 3x4 (3:4), upright
    "card": (((1.20, 2.00),), 200),  # 85.6 x 54 mm, lying, with some edge
    "page": (((0.56, 0.87), (1.15, 1.79)), 600),  # A4 or A5 (1:1.41), either way up, with some edge
}


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_WRITTEN_BYTES, MOST_WRITTEN_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    shape, max_bytes = sys.argv[1], int(sys.argv[2])
    upload = sys.stdin.buffer.read(max_bytes + 1)
    if len(upload) > max_bytes:
        answer({"refused": "PhotoTooLarge"})
        return
    try:
        refused, clean = inspect(upload, shape)
    except Exception:  # whatever a decoder may raise at hostile bytes
        refused, clean = "PhotoNotAnImage", b""
    answer({"refused": refused} if refused else {"sha256": hashlib.sha256(upload).hexdigest()}, clean)


def inspect(upload: bytes, shape: str) -> tuple[str | None, bytes]:
    """The name of the refusal, or the clean photo. Pixels are counted by the header, before decoding."""
    from PIL import Image as pillow
    from PIL import ImageOps

    pillow.MAX_IMAGE_PIXELS = None  # our own limit, below, refuses instead of warning
    with pillow.open(io.BytesIO(upload), formats=("JPEG", "PNG")) as image:
        if image.width * image.height > MOST_PIXELS:
            return "PhotoTooLarge", b""
        image.draft("RGB", (LONGEST_SIDE_PIXELS, LONGEST_SIDE_PIXELS))
        upright = ImageOps.exif_transpose(image)
        if not fits(upright.size, shape):
            return "PhotoWrongShape", b""
        upright.thumbnail((LONGEST_SIDE_PIXELS, LONGEST_SIDE_PIXELS))
        flat = flattened(upright)
        return (None, encoded(flat)) if sharpness(flat) >= SHARP_ENOUGH else ("PhotoBlurred", b"")


def fits(size: tuple[int, int], shape: str) -> bool:
    """Whether ``size`` (width and height in pixels) is of this shape and large enough to be read."""
    ranges, shorter_side = SHAPES[shape]
    ratio = size[0] / size[1]
    return min(size) >= shorter_side and any(least <= ratio <= most for least, most in ranges)


def sharpness(image: Image) -> int:
    """How steep the clearest edges are, 0 to 127: at one size and one contrast, so that neither the camera
    nor the light nor how much of the picture is empty counts. The second derivative (half of a Laplacian)
    that the steepest half percent of the pixels reach, across and down: the smaller of both, since a hand
    that moved leaves the edges along its way sharp.

    Measured on drawn portraits, cards and pages of 600 and 2,000 pixels: sharp ones have 27 to 42, as well
    at JPEG quality 60, at a third of the light, at a quarter of the contrast, or with noise of 8 levels.
    Blurred by a Gaussian of 0.4 % of the longer side they have 8 to 16, by 0.6 % 4 to 11, by 1 % 3 to 12,
    moved across by 3 % of it 7 to 12, each also darkened and with that noise.
    """
    from PIL import Image as pillow
    from PIL import ImageFilter, ImageOps

    grey = image.convert("L")
    grey.thumbnail((SHARPNESS_LOOKED_AT_PIXELS,) * 2, pillow.Resampling.LANCZOS)
    even = ImageOps.autocontrast(grey, cutoff=0.5).filter(ImageFilter.GaussianBlur(1))  # against noise
    inside = (1, 1, even.width - 1, even.height - 1)  # a kernel leaves the edge of a picture as it is
    across, down = (0, 0, 0, 1, -2, 1, 0, 0, 0), (0, 1, 0, 0, -2, 0, 0, 1, 0)
    curved = (even.filter(ImageFilter.Kernel((3, 3), k, scale=1, offset=128)) for k in (across, down))
    return min(steepest(found.crop(inside)) for found in curved)


def steepest(curved: Image) -> int:
    """What the last half percent of the pixels differ from 128 by, or more."""
    counts = curved.histogram()
    left = curved.width * curved.height // 200
    for distance in range(127, 0, -1):
        left -= counts[128 + distance] + counts[128 - distance]
        if left < 0:
            return distance
    return 0


def flattened(image: Image) -> Image:
    """In RGB, on white where it was transparent."""
    from PIL import Image as pillow

    if not image.has_transparency_data:
        return image.convert("RGB")
    layers = image.convert("RGBA")
    return pillow.alpha_composite(pillow.new("RGBA", layers.size, "white"), layers).convert("RGB")


def encoded(image: Image) -> bytes:
    """A JPEG of a new image that holds the pixels and nothing else."""
    from PIL import Image as pillow

    bare = pillow.new("RGB", image.size)
    bare.paste(image)
    target = io.BytesIO()
    bare.save(target, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return target.getvalue()


def answer(found: dict[str, str], clean: bytes = b"") -> None:
    sys.stdout.buffer.write(json.dumps(found).encode() + b"\n" + clean)


if __name__ == "__main__":
    main()

"""A photo on its way from the citizen to the quarantine of the object store, never whole in memory."""

from __future__ import annotations

import sys
from typing import Any

from flask import request

from services.gateway.problems import Problem
from shared.objects import ObjectTooLarge
from shared.refusals import FieldProblem

IMAGE_TYPES = ("image/jpeg", "image/png")


def receive_photo(objects: Any, max_bytes: int) -> Any:
    """Stream the request's body into quarantine; returns the stored object (ref, sha256, size_bytes).

    Raises ``Problem`` PhotoTooLarge as soon as ``max_bytes`` are passed, UnsupportedMediaType when the
    body does not even claim to be a photo. Whether it is one is registration's to find out. ``ObjectsAway``
    while the store does not answer.
    """
    if request.mimetype not in IMAGE_TYPES:
        raise Problem("UnsupportedMediaType")
    if request.content_length is not None and request.content_length > max_bytes:
        raise too_large(max_bytes)
    request.max_content_length = sys.maxsize  # the store counts, chunk by chunk
    try:
        return objects.put(request.stream, prefix="quarantine", max_bytes=max_bytes)
    except ObjectTooLarge:
        raise too_large(max_bytes) from None


def too_large(max_bytes: int) -> Problem:
    """The refusal of a photo over the limit, saying the limit."""
    size = f"{max_bytes // (1024 * 1024)} MiB"
    vi, en = f"Ảnh tối đa {size}.", f"A photo may have {size} at most."
    return Problem("PhotoTooLarge", FieldProblem("photo", vi, en), vi=vi, en=en)

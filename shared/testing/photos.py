"""Drawn photos for synthetic citizens: JPEG, sharp everywhere, deterministic; nobody's face."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

PORTRAIT_SIZE = (400, 600)  # 4x6
ID_CARD_SIZE = (856, 540)  # 85.6 mm by 54 mm
A5_PAGE_SIZE = (874, 1240)  # 148 mm by 210 mm at 150 dots an inch


def portrait(who: str) -> bytes:
    """A face that is another for every ``who``."""
    image, draw = _canvas(PORTRAIT_SIZE, who)
    _draw_face(draw, (40, 90, 360, 600), who)
    return _jpeg(image)


def id_card_front(who: str, lines: Sequence[str]) -> bytes:
    """The front of a card: the same face as on the portrait, and ``lines`` (letters without diacritics)."""
    image, draw = _card(who, left=300, lines=lines)
    _draw_face(draw, (40, 150, 260, 480), who)
    return _jpeg(image)


def id_card_back(who: str, lines: Sequence[str]) -> bytes:
    """The back of a card, with ``lines``."""
    image, _ = _card(f"{who} back", left=40, lines=lines)
    return _jpeg(image)


def birth_certificate(who: str, lines: Sequence[str]) -> bytes:
    """A page of A5, upright, with ``lines`` (letters without diacritics)."""
    image, draw = _canvas(A5_PAGE_SIZE, f"{who} birth")
    draw.text((120, 60), "GIAY KHAI SINH - THE MAU", fill="darkred", font=ImageFont.load_default(44))
    for number, line in enumerate(lines):
        draw.text((80, 220 + 75 * number), line, fill="black", font=ImageFont.load_default(34))
    return _jpeg(image)


def _card(who: str, *, left: int, lines: Sequence[str]) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image, draw = _canvas(ID_CARD_SIZE, who)
    draw.text((30, 20), "THE MAU - SPECIMEN", fill="darkred", font=ImageFont.load_default(44))
    for number, line in enumerate(lines):
        draw.text((left, 170 + 75 * number), line, fill="black", font=ImageFont.load_default(38))
    return image, draw


def _canvas(size: tuple[int, int], who: str) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """A light ground with fine lines, so that the picture has edges everywhere, as a sharp photo does."""
    rng = random.Random(f"canvas {who}")
    image = Image.new("RGB", size, _colour(rng, 200, 236))
    draw = ImageDraw.Draw(image)
    for _ in range(140):
        start, end = ((rng.randrange(size[0]), rng.randrange(size[1])) for _ in range(2))
        draw.line((*start, *end), fill=_colour(rng, 120, 200), width=1)
    return image, draw


def _draw_face(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], who: str) -> None:
    rng = random.Random(f"face {who}")
    left, top, right, bottom = box
    wide, high = right - left, bottom - top

    def oval(x: float, y: float, half_wide: float, half_high: float, fill: Any) -> None:
        corners = (x - half_wide, y - half_high, x + half_wide, y + half_high)
        scaled = [(left, top)[at % 2] + part * (wide, high)[at % 2] for at, part in enumerate(corners)]
        draw.ellipse(scaled, fill=fill, outline="black", width=2)

    skin = (rng.randrange(205, 245), rng.randrange(165, 200), rng.randrange(125, 160))
    oval(0.5, 1.0, 0.5, 0.24, _colour(rng, 30, 200))
    oval(0.5, 0.36, 0.32, 0.34, _colour(rng, 10, 70))
    oval(0.5, 0.42, rng.uniform(0.24, 0.29), 0.30, skin)
    apart = rng.uniform(0.09, 0.13)
    for x in (0.5 - apart, 0.5 + apart):
        oval(x, 0.38, 0.045, 0.02, "white")
        oval(x, 0.38, 0.018, 0.016, "black")
    oval(0.5, 0.47, 0.02, 0.04, skin)
    oval(0.5, 0.57, rng.uniform(0.06, 0.1), 0.015, "firebrick")


def _colour(rng: random.Random, darkest: int, lightest: int) -> tuple[int, int, int]:
    return (
        rng.randrange(darkest, lightest),
        rng.randrange(darkest, lightest),
        rng.randrange(darkest, lightest),
    )


def _jpeg(image: Image.Image) -> bytes:
    written = io.BytesIO()
    image.save(written, "JPEG", quality=88)
    return written.getvalue()

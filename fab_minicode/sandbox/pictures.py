"""
The pictures the sandbox hands out: a square QR code for interface C, a round dial for A and B. Pure.

The dial looks like a mini program code (radial strokes, three eyes, a badge) and **carries its payload**, so that a
test can read back what a picture was made for. It is our own invention; WeChat's app does not read it.

How it carries: the ring between badge and rim is divided into rays and rings; a cell is inked or not, and inked
neighbours on a ray join to one stroke with round ends. The cells hold a length, the payload (deflated where that is
shorter), a CRC-32, then filling; all of it is XORed with a fixed noise so that every payload looks evenly grey.
Several grids exist (:data:`GRIDS`); the coarsest one that holds the payload and whose cells are wide enough in pixels
is drawn. A payload that fits into no grid at the asked width (a path of 1024 bytes at 280 px) is put beside the
picture, into a JPEG comment or a PNG text chunk, and the visible cells hold its SHA-256 instead, which is checked.
"""

from __future__ import annotations

import hashlib
import io
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import qrcode
from PIL import Image, ImageDraw, PngImagePlugin

Colour = tuple[int, int, int]

JPEG_QUALITY = 90
_OVERSAMPLING = 3
_RIM, _BADGE = 0.475, 0.19
"""Outer radius of the strokes and radius of the kept-free middle, as parts of the width."""
_EYE, _EYE_AT = 0.072, 0.375
"""Radius of an eye, and its distance from the middle along the diagonal, as parts of the width."""
_MIN_CELL_PX = 3.2
_NOISE_SEED = b"fab_minicode sandbox dial"
_DEFLATED, _BESIDE = 0x8000, 0x4000
_TEXT_KEY = "minicode-payload"
_SAMPLES = (-0.5, 0.0, 0.5)


class Unreadable(ValueError):
    """The picture is no dial of ours, or too much of it is lost."""


@dataclass(frozen=True)
class Grid:
    """Rays around the dial and rings from badge to rim."""

    rays: int
    rings: int

    def cell_px(self, width_px: int) -> float:
        """Return the smallest extent of a cell: along the ray, or across it at the badge."""
        along = (_RIM - _BADGE) * width_px / self.rings
        return min(along, 2 * math.pi * _BADGE * width_px / self.rays)

    def radius(self, ring: float) -> float:
        """Return the distance of a ring's middle from the dial's middle, as part of the width."""
        return _BADGE + (ring + 0.5) * (_RIM - _BADGE) / self.rings

    def angle(self, ray: int) -> float:
        """Return the ray's direction in radians, clockwise from the top."""
        return 2 * math.pi * ray / self.rays

    def is_free(self, ray: int, ring: float) -> bool:
        """Return whether the cell lies clear of the eyes and the corner mark."""
        x, y = _at(self.angle(ray), self.radius(ring))
        margin = _EYE + 0.4 * (_RIM - _BADGE) / self.rings + 0.008
        return all(math.hypot(x - ex, y - ey) > margin for ex, ey in _corners())

    def cells(self) -> Iterator[tuple[int, int]]:
        """Yield ``(ray, ring)`` of every cell that carries a bit, in reading order."""
        return ((ray, ring) for ring in range(self.rings) for ray in range(self.rays) if self.is_free(ray, ring))

    def capacity_bytes(self) -> int:
        """Return the bytes of payload that fit: length and checksum take six."""
        return sum(1 for _ in self.cells()) // 8 - 6


GRIDS = (Grid(60, 12), Grid(84, 16), Grid(108, 22), Grid(144, 30), Grid(208, 44), Grid(288, 60))
"""From coarse to fine: about 60, 120, 230, 440, 970 and 1860 bytes of payload."""


@dataclass(frozen=True)
class Look:
    """How a dial looks: the colour of its strokes, and whether the ground is transparent (then it is a PNG)."""

    line_color: Colour = (0, 0, 0)
    is_hyaline: bool = False


def draw_dial(payload: bytes, width_px: int, look: Look = Look()) -> bytes:
    """
    Draw the round code.

    Args:
        payload: Up to 16 383 bytes; what :func:`read_dial` gives back.
        width_px: Edge of the square picture, 120 to 2000.
        look: A colour that nearly is white cannot be read back on white ground, as in life.

    Returns:
        JPEG, or PNG with transparency when ``look.is_hyaline``; the same input gives the same bytes.
    """
    grid, message, beside = _fit(payload, width_px)
    mask = _draw_mask(grid, _bits(grid, message), width_px)
    return _encode(mask, look, beside)


def read_dial(image: bytes) -> bytes:
    """
    Return the payload of a dial, read from its strokes.

    Raises:
        Unreadable: If no grid gives a message whose checksum fits.
    """
    with Image.open(io.BytesIO(image), formats=("JPEG", "PNG")) as opened:
        opened.load()
        ink, beside = _ink(opened), _beside(opened)
    if ink.shape[0] != ink.shape[1] or ink.shape[0] < 120:
        raise Unreadable("not square, or too small")
    for grid in GRIDS:
        message = _message(_sample(grid, ink))
        if message is not None:
            return _payload(message, beside)
    raise Unreadable("no grid fits")


def draw_qr(text: str, width_px: int) -> bytes:
    """Draw a QR code that decodes to exactly ``text`` (UTF-8), as JPEG with a white border."""
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=0)
    code.add_data(text.encode("utf-8"), optimize=0)
    code.make(fit=True)
    matrix = np.array(code.get_matrix(), dtype=bool)
    module_px = max(1, width_px // (len(matrix) + 8))
    picture = Image.new("L", (width_px, width_px), 255)
    squares = np.kron(np.where(matrix, 0, 255), np.ones((module_px, module_px))).astype(np.uint8)
    left = (width_px - len(squares)) // 2
    picture.paste(Image.fromarray(squares), (left, left))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()


def _fit(payload: bytes, width_px: int) -> tuple[Grid, bytes, bytes | None]:
    packed = zlib.compress(payload, 9)
    flag, body = (_DEFLATED, packed) if len(packed) < len(payload) else (0, payload)
    for grid in GRIDS:
        if grid.cell_px(width_px) >= _MIN_CELL_PX and grid.capacity_bytes() >= len(body):
            return grid, _framed(flag, body), None
    return GRIDS[0], _framed(_BESIDE, hashlib.sha256(payload).digest()), payload


def _framed(flag: int, body: bytes) -> bytes:
    head = (flag | len(body)).to_bytes(2, "big") + body
    return head + zlib.crc32(head).to_bytes(4, "big")


def _noise(count: int, seed: bytes) -> np.ndarray:
    blocks = -(-count // 256)
    stream = b"".join(hashlib.sha256(seed + number.to_bytes(4, "big")).digest() for number in range(blocks))
    return np.unpackbits(np.frombuffer(stream, dtype=np.uint8))[:count]


def _bits(grid: Grid, message: bytes) -> np.ndarray:
    count = sum(1 for _ in grid.cells())
    bits = _noise(count, message)  # the filling, different for each message
    own = np.unpackbits(np.frombuffer(message, dtype=np.uint8))
    bits[: len(own)] = own
    return bits ^ _noise(count, _NOISE_SEED)


def _message(cells: np.ndarray) -> bytes | None:
    clear = np.packbits(cells ^ _noise(len(cells), _NOISE_SEED)).tobytes()
    length = int.from_bytes(clear[:2], "big") & 0x3FFF
    head, crc = clear[: 2 + length], clear[2 + length : 6 + length]
    return head if len(crc) == 4 and zlib.crc32(head) == int.from_bytes(crc, "big") else None


def _payload(message: bytes, beside: bytes | None) -> bytes:
    flag, body = int.from_bytes(message[:2], "big"), message[2:]
    if flag & _BESIDE:
        if beside is None or hashlib.sha256(beside).digest() != body:
            raise Unreadable("the text beside the picture is lost or not the one that was drawn")
        return beside
    return zlib.decompress(body) if flag & _DEFLATED else body


def _at(angle: float, radius: float) -> tuple[float, float]:
    return 0.5 + radius * math.sin(angle), 0.5 - radius * math.cos(angle)


def _corners() -> tuple[tuple[float, float], ...]:
    """Return the three eyes and the corner mark: right top, right bottom (mark), left bottom, left top."""
    return tuple(_at(math.pi * (0.25 + quarter / 2), _EYE_AT) for quarter in range(4))


def _draw_mask(grid: Grid, bits: np.ndarray, width_px: int) -> Image.Image:
    edge = width_px * _OVERSAMPLING
    mask = Image.new("L", (edge, edge), 0)
    draw = ImageDraw.Draw(mask)
    inked = {cell for cell, bit in zip(grid.cells(), bits, strict=True) if bit}
    thick = 0.52 * grid.cell_px(width_px) * _OVERSAMPLING
    for ray, first, last in _strokes(inked):
        ends = [tuple(edge * c for c in _at(grid.angle(ray), grid.radius(ring))) for ring in (first - 0.2, last + 0.2)]
        draw.line([*ends[0], *ends[1]], fill=255, width=max(1, round(thick)))
        for x, y in ends:
            _disc(draw, x, y, thick / 2, 255)
    _draw_marks(draw, edge)
    return mask.resize((width_px, width_px), Image.Resampling.BOX)


def _strokes(inked: set[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """Yield ``(ray, first ring, last ring)`` of each run of inked cells."""
    for ray, ring in sorted(inked):
        if (ray, ring - 1) not in inked:
            last = ring
            while (ray, last + 1) in inked:
                last += 1
            yield ray, ring, last


def _draw_marks(draw: ImageDraw.ImageDraw, edge: int) -> None:
    *_, top_left = corners = _corners()
    top_right, mark, bottom_left = corners[:3]
    for x, y in (top_left, top_right, bottom_left):
        for part, fill in ((1.0, 255), (0.68, 0), (0.38, 255)):
            _disc(draw, x * edge, y * edge, part * _EYE * edge, fill)
    _disc(draw, mark[0] * edge, mark[1] * edge, 0.62 * _EYE * edge, 255)
    # The badge: a disc with two interlocking arcs.
    _disc(draw, edge / 2, edge / 2, 0.82 * _BADGE * edge, 255)
    arc, thick = 0.20 * _BADGE * edge, round(0.11 * _BADGE * edge)
    for side, start in ((-1, 90), (1, -90)):
        x, y = edge / 2 + side * arc, edge / 2 - side * arc * 0.9
        draw.arc((x - 2 * arc, y - 2 * arc, x + 2 * arc, y + 2 * arc), start, start + 270, fill=0, width=thick)


def _disc(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, fill: int) -> None:
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)


def _encode(mask: Image.Image, look: Look, beside: bytes | None) -> bytes:
    out = io.BytesIO()
    ground = Image.new("RGB", mask.size, (255, 255, 255))
    strokes = Image.new("RGB", mask.size, look.line_color)
    if look.is_hyaline:
        strokes.putalpha(mask)
        notes = PngImagePlugin.PngInfo()
        if beside is not None:
            notes.add_text(_TEXT_KEY, beside.decode("latin-1"))
        strokes.save(out, "PNG", pnginfo=notes)
    else:
        picture = Image.composite(strokes, ground, mask)
        comment = {"comment": beside} if beside is not None else {}
        picture.save(out, "JPEG", quality=JPEG_QUALITY, subsampling=0, **comment)
    return out.getvalue()


def _ink(picture: Image.Image) -> np.ndarray:
    """Return how inked each pixel is, 0 to 255 of what the picture's strongest stroke has."""
    if "A" in picture.getbands():
        return np.asarray(picture.getchannel("A"), dtype=np.float32)
    return 255 - np.asarray(picture.convert("RGB"), dtype=np.float32).min(axis=2)


def _beside(picture: Image.Image) -> bytes | None:
    text = picture.info.get(_TEXT_KEY)
    if text is not None:
        return str(text).encode("latin-1")
    comment = picture.info.get("comment")
    return comment if isinstance(comment, bytes) else None


def _sample(grid: Grid, ink: np.ndarray) -> np.ndarray:
    width = ink.shape[0]
    eye_x, eye_y = _corners()[3]
    full = float(ink[round(eye_y * width), round(eye_x * width)])
    places = np.array([_at(grid.angle(ray), grid.radius(ring)) for ray, ring in grid.cells()]) * width - 0.5
    around = [(dx, dy) for dx in _SAMPLES for dy in _SAMPLES]
    near = [ink[tuple(np.clip(np.rint(places + step), 0, width - 1).astype(int).T[::-1])] for step in around]
    return (np.mean(near, axis=0) > full / 2).astype(np.uint8)

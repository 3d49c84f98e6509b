"""Small pictures for lists and pages. Pure: bytes in, bytes out."""

from __future__ import annotations

import io

from PIL import Image, UnidentifiedImageError

from fab_minicode.errors import RenderError

_MAX_PIXELS = 4_000_000


def thumbnail(content: bytes, edge_px: int) -> tuple[bytes, str]:
    """
    Return a picture scaled down to fit a square, and its MIME type.

    Args:
        content: PNG or JPEG as WeChat returned it.
        edge_px: Longest edge of the result; a smaller picture keeps its size.

    Returns:
        PNG for a PNG (transparency stays), else JPEG; same input gives same bytes.

    Raises:
        RenderError: If the bytes are no such picture, or one of more than 4 million pixels.
    """
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG", "PNG"]) as picture:
            if picture.width * picture.height > _MAX_PIXELS:
                raise RenderError("picture is too large")
            kind = picture.format or "PNG"
            picture.draft("RGB", (edge_px * 2, edge_px * 2))
            small = picture.convert("RGBA" if kind == "PNG" else "RGB")
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise RenderError(f"picture cannot be read: {type(error).__name__}") from None
    small.thumbnail((edge_px, edge_px), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, kind, optimize=True, quality=85)
    return out.getvalue(), f"image/{kind.lower()}"

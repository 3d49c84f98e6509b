"""Small pictures: the right size and kind, and nothing that is no picture."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from fab_minicode.errors import RenderError
from fab_minicode.thumbnails import thumbnail


def picture(kind, size=(430, 430), mode="RGB"):
    out = io.BytesIO()
    Image.new(mode, size, "white").save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize(("kind", "mode", "mime"), [("JPEG", "RGB", "image/jpeg"), ("PNG", "RGBA", "image/png")])
def test_a_picture_becomes_small_and_keeps_its_kind(kind, mode, mime):
    small, found = thumbnail(picture(kind, mode=mode), 96)

    assert mime == found
    assert ((96, 96), mode) == (Image.open(io.BytesIO(small)).size, Image.open(io.BytesIO(small)).mode)


def test_transparency_stays():
    out = io.BytesIO()
    Image.new("RGBA", (430, 430), (0, 0, 0, 0)).save(out, "PNG")

    small, _ = thumbnail(out.getvalue(), 96)

    assert 0 == Image.open(io.BytesIO(small)).getpixel((5, 5))[3]


def test_a_small_picture_is_not_blown_up():
    small, _ = thumbnail(picture("JPEG", (280, 280)), 560)

    assert (280, 280) == Image.open(io.BytesIO(small)).size


def test_the_same_picture_gives_the_same_bytes():
    assert thumbnail(picture("JPEG"), 96) == thumbnail(picture("JPEG"), 96)


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", picture("GIF"), picture("JPEG")[:400], picture("PNG", (4000, 4000))],
    ids=["nothing", "html", "gif", "cut", "too large"],
)
def test_what_is_no_picture_is_refused(content):
    with pytest.raises(RenderError):
        thumbnail(content, 96)

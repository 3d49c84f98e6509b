"""The sandbox's pictures carry what they were made for."""

import io

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fab_minicode.sandbox.pictures import GRIDS, Look, Unreadable, draw_dial, draw_qr, read_dial

PATHS = {
    "short": "pages/index/index",
    "usual": "pages/index/index?utm_source=海报&utm_campaign=双十一&utm_medium=offline&utm_content=A%26B&utm_term=咖啡",
    "long": "pages/goods/detail?" + "&".join(f"k{number}={number * 7919 % 9973}" for number in range(75)),
}
COLOURS = [(0, 0, 0), (7, 193, 96), (255, 255, 0), (200, 200, 200), (255, 105, 180)]


def opened(content):
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize("width_px", [280, 281, 430, 640, 1000, 1280])
@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_a_dial_gives_back_its_payload_at_every_width(width_px, path):
    content = draw_dial(path.encode(), width_px)

    assert path == read_dial(content).decode()
    assert ("JPEG", (width_px, width_px)) == (opened(content).format, opened(content).size)


@pytest.mark.parametrize("colour", COLOURS, ids=str)
@pytest.mark.parametrize("is_hyaline", [False, True])
def test_a_dial_gives_back_its_payload_in_every_colour(colour, is_hyaline):
    content = draw_dial(PATHS["usual"].encode(), 430, Look(colour, is_hyaline))

    assert PATHS["usual"] == read_dial(content).decode()
    assert ("PNG" if is_hyaline else "JPEG") == opened(content).format


def test_a_transparent_dial_has_clear_ground_and_strokes_of_the_asked_colour():
    picture = opened(draw_dial(b"x", 430, Look((7, 193, 96), is_hyaline=True)))

    assert "RGBA" == picture.mode
    assert 0 == picture.getpixel((2, 2))[3]
    assert (7, 193, 96, 255) in {colour for _, colour in picture.getcolors(430 * 430)}


def test_usual_payloads_are_in_the_strokes_and_survive_a_new_compression_without_notes():
    for width_px in (280, 430, 1280):
        content = draw_dial(PATHS["usual"].encode(), width_px)
        out = io.BytesIO()
        opened(content).convert("RGB").save(out, "JPEG", quality=80)

        assert PATHS["usual"] == read_dial(out.getvalue()).decode()


def test_what_does_not_fit_into_the_strokes_stands_beside_them_under_a_checked_digest():
    for look, where in ((Look(), "comment"), (Look(is_hyaline=True), "minicode-payload")):
        payload = bytes(range(256)) * 4
        content = draw_dial(payload, 280, look)

        assert payload == read_dial(content)
        assert where in opened(content).info

    stripped = io.BytesIO()
    opened(draw_dial(payload, 280)).copy().convert("RGB").save(stripped, "JPEG", quality=95, comment=b"another")
    with pytest.raises(Unreadable):
        read_dial(stripped.getvalue())


def test_the_finest_grid_holds_the_longest_path_of_interface_a():
    assert GRIDS[-1].capacity_bytes() >= 1024
    assert sorted(grid.capacity_bytes() for grid in GRIDS) == [grid.capacity_bytes() for grid in GRIDS]


@pytest.mark.parametrize(
    "picture", [Image.new("RGB", (430, 430), "white"), Image.new("RGB", (430, 200)), Image.new("L", (60, 60))]
)
def test_other_pictures_are_not_readable(picture):
    out = io.BytesIO()
    picture.save(out, "PNG")

    with pytest.raises(Unreadable):
        read_dial(out.getvalue())


def test_a_dial_with_a_wiped_sector_is_not_readable():
    picture = opened(draw_dial(PATHS["usual"].encode(), 430)).convert("RGB")
    picture.paste((255, 255, 255), (215, 0, 300, 130))
    out = io.BytesIO()
    picture.save(out, "PNG")

    with pytest.raises(Unreadable):
        read_dial(out.getvalue())


@settings(max_examples=30, deadline=None)
@given(payload=st.binary(max_size=300), width_px=st.integers(280, 700))
def test_any_payload_comes_back(payload, width_px):
    assert payload == read_dial(draw_dial(payload, width_px))


def test_the_same_request_gives_the_same_picture():
    assert draw_dial(b"same", 430) == draw_dial(b"same", 430)
    assert draw_qr("same", 430) == draw_qr("same", 430)


@pytest.mark.parametrize("width_px", [280, 430, 1280])
@pytest.mark.parametrize(
    "path", [PATHS["short"], "pages/index?utm_source=海报&utm_campaign=双十一", "p/a?b=" + "x" * 122, "p?" + "咖" * 42]
)
def test_a_qr_code_decodes_to_exactly_the_path(width_px, path):
    picture = opened(draw_qr(path, width_px))

    found = zxingcpp.read_barcodes(picture)

    assert [path.encode()] == [code.bytes for code in found]
    assert ("JPEG", (width_px, width_px)) == (picture.format, picture.size)

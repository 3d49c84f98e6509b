"""
LZString's UTF-16 form, which GrowingIO's SDK sends as ``compress=1``. Pure.

LZ78 over 16-bit units. The stream is bits, least significant first within a number; each character carries 15 of them,
most significant first, plus 32. A number of ``width`` bits is 0 (a new 8-bit unit follows), 1 (a new 16-bit unit
follows), 2 (the end) or an entry of the dictionary; the width grows when the dictionary reaches a power of two.

Source: the algorithm of lz-string 1.5.0 (pieroxy, MIT), https://pieroxy.net/blog/pages/lz-string/, read 2026-11-22.
The Python package of that name (1.0.4) fails on this form, hence our own.
"""

from __future__ import annotations

_BITS_PER_CHARACTER = 15
_SHIFT = 32
_NEW_UNIT_BITS = {0: 8, 1: 16}
_END = 2


class _Bits:
    """The numbers of a stream, one after the other. ValueError past its end."""

    def __init__(self, packed: str) -> None:
        codes = [ord(character) - _SHIFT for character in packed]
        if codes and not 0 <= min(codes) <= max(codes) < 1 << _BITS_PER_CHARACTER:
            raise ValueError("not an LZString UTF-16 text")
        self._text = "".join([format(code, "015b") for code in codes])
        self._at = 0

    def number(self, width: int) -> int:
        piece = self._text[self._at : self._at + width]
        if len(piece) < width:
            raise ValueError("the LZString text is cut off")
        self._at += width
        return int(piece[::-1], 2)


def decompress_from_utf16(packed: str, *, max_characters: int) -> str:
    """
    Return the text that ``LZString.compressToUTF16`` packed.

    Args:
        packed: The packed text.
        max_characters: Stop when the result would be longer, in 16-bit units: a few characters can unpack to millions.

    Raises:
        ValueError: If the text is not LZString's or is cut off.
        OverflowError: If the result would be longer than ``max_characters``.
    """
    units = "".join(_unpack(_Bits(packed), max_characters))
    # Characters above U+FFFF travel as two units; lone ones stay, as in JavaScript.
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _unpack(bits: _Bits, max_characters: int) -> list[str]:
    dictionary = ["", "", ""]  # 0, 1 and 2 are reserved
    pieces: list[str] = []
    length, previous = 0, ""
    while True:
        number = bits.number(len(dictionary).bit_length())
        if number == _END:
            return pieces
        if number in _NEW_UNIT_BITS:
            dictionary.append(chr(bits.number(_NEW_UNIT_BITS[number])))
            number = len(dictionary) - 1
        if number > len(dictionary) or (number == len(dictionary) and not previous):
            raise ValueError("not an LZString UTF-16 text")
        piece = dictionary[number] if number < len(dictionary) else previous + previous[0]
        length += len(piece)
        if length > max_characters:
            raise OverflowError("the LZString text unpacks to more than is allowed")
        pieces.append(piece)
        if previous:
            dictionary.append(previous + piece[0])
        previous = piece

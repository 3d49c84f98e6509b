"""LZString's ``compressToUTF16`` for tests; test_trackers_lzstring.py compares it with the library itself."""

from __future__ import annotations


class _Writer:
    """The stream of bits and the width of its numbers, which grows as the reader's dictionary does."""

    def __init__(self) -> None:
        self.bits: list[int] = []
        self.width, self._room = 2, 2

    def put(self, number: int, count: int) -> None:
        self.bits.extend(number >> at & 1 for at in range(count))

    def grow(self) -> None:
        self._room -= 1
        if self._room == 0:
            self._room = 1 << self.width
            self.width += 1

    def text(self) -> str:
        self.bits.extend([0] * (15 - len(self.bits) % 15))
        pieces = (self.bits[at : at + 15] for at in range(0, len(self.bits), 15))
        return "".join(chr(int("".join(map(str, piece)), 2) + 32) for piece in pieces) + " "


class _Packer:
    def __init__(self) -> None:
        self.out = _Writer()
        self._numbers: dict[str, int] = {}
        self._fresh: set[str] = set()
        self._word = ""

    def take(self, unit: str) -> None:
        if unit not in self._numbers:
            self._remember(unit)
            self._fresh.add(unit)
        if self._word + unit in self._numbers:
            self._word += unit
            return
        self.say()
        self._remember(self._word + unit)
        self._word = unit

    def say(self) -> None:
        if self._word in self._fresh:
            wide = ord(self._word[0]) > 0xFF
            self.out.put(int(wide), self.out.width)
            self.out.put(ord(self._word[0]), 16 if wide else 8)
            self.out.grow()
            self._fresh.discard(self._word)
        else:
            self.out.put(self._numbers[self._word], self.out.width)
        self.out.grow()

    def end(self) -> str:
        if self._word:
            self.say()
        self.out.put(2, self.out.width)
        return self.out.text()

    def _remember(self, word: str) -> None:
        self._numbers[word] = len(self._numbers) + 3


def compress_to_utf16(text: str) -> str:
    """Return what ``decompress_from_utf16`` takes apart."""
    data = text.encode("utf-16-le", "surrogatepass")
    packer = _Packer()
    for at in range(0, len(data), 2):
        packer.take(chr(data[at] | data[at + 1] << 8))
    return packer.end()

"""
Which words look as if they meant the same. Pure.

Two values are alike when they differ only by case, width (full-width and half-width letters), white space, hyphens or
underscores; or, for longer words, by one letter too many, too few, other or swapped. Words that differ in a digit are
not alike, nor in a single letter that stands apart at the end: poster-01 and poster-02 are two posters, tower-a and
tower-b two towers.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

SPELLING, SIMILAR = "spelling", "similar"
LEAST_CHARACTERS = 6
"""A word shorter than this is alike only when nothing but its spelling differs."""

_BETWEEN = re.compile(r"[\s_\-‐-―]+")
_DIGITS = re.compile(r"\d")


class Pair(NamedTuple):
    """``value`` looks like ``target``, which is used more; ``reason`` is SPELLING or SIMILAR."""

    value: str
    target: str
    reason: str


def folded(text: str) -> str:
    """Return a word without what does not change its meaning: case, width, white space, hyphens, underscores."""
    return _BETWEEN.sub("", unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()))


def alike(texts: Sequence[str]) -> list[Pair]:
    """
    Return the pairs of words that look the same, each word as ``value`` once at most.

    Args:
        texts: Distinct, the most used first. 2 000 take some 50 ms.
    """
    pairs: list[Pair] = []
    best: dict[str, str] = {}
    for text in texts:
        key = folded(text)
        if key and best.setdefault(key, text) != text:
            pairs.append(Pair(text, best[key], SPELLING))
    near: dict[str, list[str]] = {}
    for key, text in best.items():
        if len(key) < LEAST_CHARACTERS:
            continue
        shapes = {key, *(key[:place] + key[place + 1 :] for place in range(len(key)))}
        others = dict.fromkeys(other for shape in sorted(shapes) for other in near.get(shape, ()))
        near_ones = (best[other] for other in others if is_near(key, other))
        target = next((one for one in near_ones if not is_series(text, one)), None)
        if target is not None:
            pairs.append(Pair(text, target, SIMILAR))
        for shape in shapes:
            near.setdefault(shape, []).append(key)
    return pairs


def is_series(one: str, other: str) -> bool:
    """Whether two words are members of a series, told apart by a single letter at the end: tower-a and tower-b."""
    (*heads, tail), (*other_heads, other_tail) = _BETWEEN.split(one), _BETWEEN.split(other)
    return bool(heads) and heads == other_heads and tail != other_tail and len(tail) == len(other_tail) == 1


def is_near(one: str, other: str) -> bool:
    """Whether one letter too many, too few, other or swapped makes one word of the other, and no digit differs."""
    if _DIGITS.findall(one) != _DIGITS.findall(other) or abs(len(one) - len(other)) > 1:
        return False
    begin = 0
    while begin < min(len(one), len(other)) and one[begin] == other[begin]:
        begin += 1
    if len(one) != len(other):
        longer, shorter = (one, other) if len(one) > len(other) else (other, one)
        return longer[begin + 1 :] == shorter[begin:]
    rest, other_rest = one[begin:], other[begin:]
    is_swapped = rest[:2] == other_rest[:2][::-1] and rest[2:] == other_rest[2:]
    return rest[1:] == other_rest[1:] or is_swapped

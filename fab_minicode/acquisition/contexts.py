"""
What visits carried, as numbers: texts of dimensions, codes, and the contexts made of them.

Works inside the roll-up, which is alone: new numbers are simply the next ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy.engine import Connection

from fab_minicode.acquisition import bulk
from fab_minicode.acquisition.caps import BOUNDED, EVENT, Caps
from fab_minicode.acquisition.dimensions import DIMENSIONS, NAMES
from fab_minicode.models import Code, Ghost
from fab_minicode.models.acquisition import Context, Value
from fab_minicode.scene import compose_scene

Numbers = npt.NDArray[np.int64]
Values = tuple[int, ...]
"""A context: the numbers of its values in the order of ``DIMENSIONS``, 0 where not set."""

NOTHING: Values = (0,) * len(DIMENSIONS)
_OF_TOUCH = tuple(dimension.of_touch for dimension in DIMENSIONS)
_SOURCE = NAMES.index("utm_source")
_MIXER = np.uint64(0x9E3779B97F4A7C15)
"""An odd number without pattern: 2**64 divided by the golden ratio."""

_UTM_OF_ENTRY = ("source", "campaign", "medium", "content", "term")
"""Their order in an entry (``trackers.events.Entry.stored``)."""

_ENTRY_LENGTH = 10
"""An entry without a scene of others has one element less."""

# WeChat's entry scenes of a scan, a long press and a picked picture, by the picture's kind.
# Source: the scene values in docs/wechat.md.
_KINDS_OF_SCENE: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("1047", "1048", "1049"), ("wxacode", "wxacode_unlimited")),
    **dict.fromkeys(("1011", "1012", "1013"), ("wxaqrcode",)),
}


class Contexts:
    """The contexts of one mini program that a batch needs, found or made."""

    def __init__(self, connection: Connection, authorizer_id: int) -> None:
        self._connection, self._authorizer_id = connection, authorizer_id
        self._ids: dict[Values, int] = {}
        self._values: dict[int, Values] = {}

    def of_visits(self, entries: Sequence[str], days: Sequence[int], caps: Caps) -> Visits:
        """
        Return what each visit carried itself: touch, landing page and scene, from its entry text and its day.

        A B scene of ours gives that code's UTM; a scene nobody knows leaves the UTM of the query. Entries are
        ``trackers.events.Entry.stored``; a day matters only where it has too many values.
        """
        distinct = list(dict.fromkeys(entries))
        if not distinct:
            return Visits([], {})
        rows = json.loads(f"[{','.join(distinct)}]")
        carried = bulk.columns_of([row if len(row) == _ENTRY_LENGTH else [*row, None] for row in rows])
        codes = _Codes(self._connection, self._authorizer_id, carried)
        columns = codes.touches(carried) | {"landing_page": carried[0], "scene": carried[1]}
        tight = [name for name in BOUNDED if caps.may_bind(name, columns[name])]
        unknown = {entry: one for entry, one in zip(distinct, codes.unknown, strict=True) if one is not None}
        if not tight:
            numbers = dict(zip(distinct, self._of_columns(columns), strict=True))
            return Visits([numbers[entry] for entry in entries], unknown)
        places = {entry: place for place, entry in enumerate(distinct)}
        pairs = list(dict.fromkeys((places[entry], day) for entry, day in zip(entries, days, strict=True)))
        columns = {name: [column[place] for place, _ in pairs] for name, column in columns.items()}
        for name in tight:
            columns[name] = caps.bounded(name, [day for _, day in pairs], columns[name])
        found = dict(zip(pairs, self._of_columns(columns), strict=True))
        numbers_of_visits = [found[places[entry], day] for entry, day in zip(entries, days, strict=True)]
        return Visits(numbers_of_visits, unknown)

    def _of_columns(self, columns: dict[str, list[Any]]) -> list[int]:
        numbers = [columns[name] if name == "code" else self._numbered(name, columns[name]) for name in NAMES]
        return self.numbered(list(zip(*numbers, strict=True)))

    def event_ids(self, names: Sequence[str]) -> list[int]:
        """Return the numbers of custom events' names."""
        return self._numbered(EVENT, list(names))

    def event_names(self, numbers: Sequence[int]) -> dict[int, str]:
        """Return the names of custom events by their numbers."""
        found = bulk.find(self._connection, Value.id, sorted(set(numbers)), (Value.id, Value.value))
        return {number: name for number, name in found}  # noqa: C416

    def carried(self, pairs: Iterable[tuple[int, int]]) -> list[int]:
        """Return for each (context with a touch, own context) the context of that touch on one's own page and scene."""
        pairs = list(pairs)
        self._load({number for pair in pairs for number in pair})
        return self.numbered([_mixed(self._values[touch], self._values[own]) for touch, own in pairs])

    def blank(self, numbers: Sequence[int]) -> list[int]:
        """Return each context without its touch."""
        self._load(set(numbers))
        return self.numbered([_mixed(NOTHING, self._values[number]) for number in numbers])

    def values(self, numbers: Numbers) -> Numbers:
        """Return the values of contexts: one row each, one column per dimension."""
        unique, places = np.unique(numbers, return_inverse=True)
        self._load(set(unique.tolist()))
        flat = chain.from_iterable(self._values[number] for number in unique.tolist())
        table = np.fromiter(flat, np.int64, len(unique) * len(NAMES)).reshape(-1, len(NAMES))
        return table[places.ravel()]

    def touched(self, numbers: Numbers) -> npt.NDArray[np.bool_]:
        """Return for each context whether it has a touch."""
        return self.values(numbers)[:, _SOURCE] > 0

    def numbered(self, wanted: Sequence[Values]) -> list[int]:
        """Return the number of each combination of values, a new one where there was none."""
        missing = [values for values in dict.fromkeys(wanted) if values not in self._ids]
        if missing:
            fingerprints = sorted(set(self._fingerprints(missing)))
            columns = (Context.id, *map(_column, NAMES))
            found = bulk.find(
                self._connection, Context.fingerprint, fingerprints, columns, authorizer_id=self._authorizer_id
            )
            for number, *values in found:
                self._remember(number, tuple(values))
            self._make([values for values in missing if values not in self._ids])
        return [self._ids[values] for values in wanted]

    def _make(self, new: Sequence[Values]) -> None:
        if not new:
            return
        begin = bulk.next_number(self._connection, Context.id)
        numbers = list(range(begin, begin + len(new)))
        columns = {
            "id": numbers,
            "authorizer_id": [self._authorizer_id] * len(new),
            "fingerprint": self._fingerprints(new),
            **dict(zip(NAMES, zip(*new, strict=True), strict=True)),
        }
        bulk.insert(self._connection, Context, columns)
        for number, values in zip(numbers, new, strict=True):
            self._remember(number, values)

    def _load(self, numbers: set[int]) -> None:
        missing = sorted(number for number in numbers if number not in self._values)
        for number, *values in bulk.find(self._connection, Context.id, missing, (Context.id, *map(_column, NAMES))):
            self._remember(number, tuple(values))

    def _remember(self, number: int, values: Values) -> None:
        self._ids[values], self._values[number] = number, values

    def _fingerprints(self, rows: Sequence[Values]) -> list[int]:
        """Mix each row into one number, all rows at once; chance collisions are told apart by value."""
        mixed = np.full(len(rows), self._authorizer_id, np.uint64)
        flat = np.fromiter(chain.from_iterable(rows), np.uint64, len(rows) * len(NAMES))
        for column in flat.reshape(-1, len(NAMES)).T:
            mixed = (mixed ^ column) * _MIXER
            mixed ^= mixed >> np.uint64(32)
        return mixed.view(np.int64).tolist()

    def _numbered(self, dimension: str, texts: Sequence[str | None]) -> list[int]:
        """Return the number of each text of a dimension, 0 for an empty one."""
        wanted = sorted({text for text in texts if text})
        fixed = {"authorizer_id": self._authorizer_id, "dimension": dimension}
        found = bulk.find(self._connection, Value.value, wanted, (Value.value, Value.id), **fixed)
        numbers: dict[str | None, int] = {"": 0, None: 0, **{text: number for text, number in found}}  # noqa: C416
        new = [text for text in wanted if text not in numbers]
        if new:
            begin = bulk.next_number(self._connection, Value.id)
            numbers.update(zip(new, range(begin, begin + len(new)), strict=True))
            columns = {name: [value] * len(new) for name, value in fixed.items()}
            bulk.insert(self._connection, Value, {"id": [numbers[text] for text in new], **columns, "value": new})
        return [numbers[text] for text in texts]


class Visits(NamedTuple):
    """What visits carried: the context of each, and B's scene and page by the entry text of those nobody knows."""

    contexts: list[int]
    unknown: dict[str, tuple[str, str]]


class _Code(NamedTuple):
    id: int
    short_key: str
    match_key: str
    kind: str
    state: str
    deleted_at: Any
    utm_source: str
    utm_campaign: str
    utm_content: str
    utm_term: str
    utm_medium: str


class _Codes:
    """The codes that entries speak of: by an adopted scene, by short key, by match key."""

    def __init__(self, connection: Connection, authorizer_id: int, carried: Sequence[Sequence[Any]]) -> None:
        self._connection, self._authorizer_id = connection, authorizer_id
        pages, *_, keys, matches, scenes = carried
        self._places: list[tuple[str, str] | None] = [
            (scene or compose_scene(key), page or "") if scene or key else None
            for page, key, scene in zip(pages, keys, scenes, strict=True)
        ]
        """For each entry B's scene and the page it opened, None where there is no scene."""
        self.unknown: list[tuple[str, str] | None] = [None] * len(keys)
        """The same for those whose scene no code has."""
        self._adopted = self._read_adopted()
        self._by_key: dict[str | None, _Code] = {
            code.short_key: code for code in self._found(Code.short_key, {key for key in keys if key})
        }
        self._by_match: dict[str, list[_Code]] = {}
        for code in self._found(Code.match_key, {key for key in matches if key}):
            # WeChat said no: there is no print of it. Made after all (state "ready"), it counts from then on.
            if code.state != "failed":
                self._by_match.setdefault(code.match_key, []).append(code)

    def _found(self, column: Any, wanted: set[Any]) -> list[_Code]:
        columns = [getattr(Code, name) for name in _Code._fields]
        rows = bulk.find(self._connection, column, sorted(wanted), columns, authorizer_id=self._authorizer_id)
        return [_Code(*row) for row in rows]

    def _read_adopted(self) -> dict[tuple[str, str], _Code]:
        """Return the codes that scenes were given to, by scene and page."""
        scenes = sorted({place[0] for place in self._places if place is not None})
        columns = (Ghost.scene, Ghost.page, Ghost.code_id)
        rows = bulk.find(self._connection, Ghost.scene, scenes, columns, authorizer_id=self._authorizer_id)
        given = {(scene, page): code_id for scene, page, code_id in rows if code_id is not None}
        codes = {code.id: code for code in self._found(Code.id, set(given.values()))}
        return {place: codes[code_id] for place, code_id in given.items() if code_id in codes}

    def touches(self, carried: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
        """Return the touches of entries, both by columns: texts by the name of the dimension, codes by their id."""
        _page, scenes, *utm, keys, matches, _scene_texts = carried
        texts = {f"utm_{name}": list(column) for name, column in zip(_UTM_OF_ENTRY, utm, strict=True)}
        codes = [0] * len(keys)
        for place, key in enumerate(keys):
            at = self._places[place]
            code = None if at is None else self._adopted.get(at) or self._by_key.get(key)
            if code is not None:
                codes[place] = code.id
                for name, column in texts.items():
                    column[place] = getattr(code, name)
                continue
            self.unknown[place] = at
            if matches[place] in self._by_match and texts["utm_source"][place]:
                codes[place] = self._by_scene(matches[place], scenes[place])
        for column in texts.values():
            # No source, no touch: whatever else the query said.
            column[:] = [text if source else "" for text, source in zip(column, texts["utm_source"], strict=True)]
        return {**texts, "code": codes}

    def _by_scene(self, match: str, scene: str | None) -> int:
        """
        Return the id of the code whose page and query a visit carried.

        Several may carry the same: the kind that fits WeChat's entry scene is taken, then one that was made, then a
        live one, then the newest.
        """
        kinds = _KINDS_OF_SCENE.get(scene or "", ())
        return max(self._by_match[match], key=lambda code: _rank(code, kinds)).id


def _rank(code: _Code, kinds: Sequence[str]) -> tuple[bool, bool, bool, int]:
    return code.kind in kinds, code.state in ("ready", "unknown"), code.deleted_at is None, code.id


def _mixed(touch: Values, own: Values) -> Values:
    return tuple(a if of_touch else b for a, b, of_touch in zip(touch, own, _OF_TOUCH, strict=True))


def _column(name: str) -> Any:
    return getattr(Context, name)

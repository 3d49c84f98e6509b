"""
What visits carried, read from their entries (``trackers.events.Entry.stored``): texts, codes, and the contexts of both.

Works inside the roll-up, which is alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy.engine import Connection

from fab_minicode.acquisition import bulk
from fab_minicode.acquisition.caps import BOUNDED, Caps
from fab_minicode.acquisition.contexts import Contexts, Numbers
from fab_minicode.acquisition.dimensions import NAMES
from fab_minicode.models import Code, Ghost
from fab_minicode.scene import compose_scene

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


class Visits(NamedTuple):
    """What visits carried: the context of each, and B's scene and page by the entry text of those nobody knows."""

    contexts: Numbers
    unknown: dict[str, tuple[str, str]]


def contexts_of(contexts: Contexts, entries: Sequence[str], days: Sequence[int], caps: Caps) -> Visits:
    """
    Return what each visit carried itself: touch, landing page and scene, from its entry text and its day.

    A B scene of ours gives that code's UTM; a scene nobody knows leaves the UTM of the query. A day matters only where
    it has too many values.
    """
    distinct = list(dict.fromkeys(entries))
    if not distinct:
        return Visits(np.zeros(0, np.int64), {})
    rows = json.loads(f"[{','.join(distinct)}]")
    carried = bulk.columns_of([row if len(row) == _ENTRY_LENGTH else [*row, None] for row in rows])
    codes = _Codes(contexts.connection, contexts.authorizer_id, carried)
    columns = codes.touches(carried) | {"landing_page": carried[0], "scene": carried[1]}
    tight = [name for name in BOUNDED if caps.may_bind(name, columns[name])]
    unknown = {entry: one for entry, one in zip(distinct, codes.unknown, strict=True) if one is not None}
    places = {entry: place for place, entry in enumerate(distinct)}
    if not tight:
        return Visits(_numbered(contexts, columns)[[places[entry] for entry in entries]], unknown)
    of_visits = list(zip([places[entry] for entry in entries], days, strict=True))
    pairs = {pair: place for place, pair in enumerate(dict.fromkeys(of_visits))}
    columns = {name: [column[place] for place, _ in pairs] for name, column in columns.items()}
    for name in tight:
        columns[name] = caps.bounded(name, [day for _, day in pairs], columns[name])
    return Visits(_numbered(contexts, columns)[[pairs[one] for one in of_visits]], unknown)


def _numbered(contexts: Contexts, columns: dict[str, list[Any]]) -> Numbers:
    numbers = [columns[name] if name == "code" else contexts.value_numbers(name, columns[name]) for name in NAMES]
    return contexts.numbered(np.array(numbers, np.int64).T)


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

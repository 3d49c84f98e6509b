"""
One number of a funnel or a retention, named by what the answer itself says: a step or a day, and a row. Pure.

The same number as a segment (:func:`funnel_rule`, :func:`retention_rule`) is "these visitors", where conditions can say
that.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from fab_minicode.acquisition.cell import CODE_KEYS, among, filter_of
from fab_minicode.acquisition.funnel_question import FunnelQuestion
from fab_minicode.acquisition.metrics import FIRST_VISIT
from fab_minicode.acquisition.question import Filter
from fab_minicode.acquisition.question_address import read_address, write_address
from fab_minicode.acquisition.question_fields import only_known
from fab_minicode.acquisition.retention_question import RetentionQuestion
from fab_minicode.acquisition.scope import Scope, number_from, whole
from fab_minicode.acquisition.segment_rules import Rule, Trait
from fab_minicode.acquisition.windows import Period, Window
from fab_minicode.errors import InvalidInput

_PLACE = ("row", "others")


@dataclass(frozen=True)
class Place:
    """
    Which line of the answer: that of the totals, if nothing else is said.

    Attributes:
        group: The row's group, as the one condition that it passes; None without.
        day: The row's day, of a retention that is not split; None without.
        is_others: Whether it is what the limit left out.
    """

    group: Filter | None = None
    day: dt.date | None = None
    is_others: bool = False


@dataclass(frozen=True)
class FunnelCell:
    """People who took a step (counted from 1); with ``is_lost`` those of them who did not take the next one."""

    step: int = 1
    is_lost: bool = False
    place: Place = field(default_factory=Place)


@dataclass(frozen=True)
class RetentionCell:
    """People who started; with ``returned`` those of them who came back on this day after."""

    returned: int | None = None
    place: Place = field(default_factory=Place)


def parse_funnel_cell(question: FunnelQuestion, asked: Any) -> FunnelCell:
    """
    Read which number of a funnel is meant.

    Args:
        question: The funnel.
        asked: ``{"step": 2}`` or ``{"lost_after": 1}``, the first step if neither is said; ``row`` is a row as the
            answer holds it, ``others`` what the limit left out.

    Raises:
        InvalidInput: Names the field (``cell.step``), the limit and what was sent.
    """
    place = _place(question.scope, asked, ("step", "lost_after"), ("steps",))
    steps = len(question.steps)
    if asked.get("lost_after") is None:
        return FunnelCell(whole(asked.get("step", 1), "cell.step", (1, steps)), place=place)
    if asked.get("step") is not None:
        raise InvalidInput("cell.step", "not_wanted")
    return FunnelCell(whole(asked["lost_after"], "cell.lost_after", (1, steps - 1)), is_lost=True, place=place)


def parse_retention_cell(question: RetentionQuestion, asked: Any) -> RetentionCell:
    """
    Read which number of a retention is meant.

    Args:
        question: The retention.
        asked: ``{"returned": 3}``, who started if it is not said; ``row`` and ``others`` as of a funnel.

    Raises:
        InvalidInput: Names the field (``cell.returned``), the limit and what was sent.
    """
    place = _place(question.scope, asked, ("returned",), ("starts", "returned"), by_day=not question.scope.dimension)
    returned = asked.get("returned")
    if returned is not None:
        returned = whole(returned, "cell.returned", (1, question.days), "days")
    return RetentionCell(returned, place)


def _place(scope: Scope, asked: Any, own: tuple[str, ...], numbers: tuple[str, ...], *, by_day: bool = False) -> Place:
    if not isinstance(asked, Mapping):
        raise InvalidInput("cell", "invalid", detail=type(asked).__name__)
    only_known(asked, (*own, *_PLACE), "cell")
    row, is_others = asked.get("row"), asked.get("others", False)
    if not isinstance(is_others, bool):
        raise InvalidInput("cell.others", "invalid", detail=str(is_others)[:40])
    if row is not None and not isinstance(row, Mapping):
        raise InvalidInput("cell.row", "invalid", detail=type(row).__name__)
    if is_others and (row is not None or not scope.dimension):
        raise InvalidInput("cell.others", "not_wanted")
    if row is None:
        return Place(is_others=is_others)
    keys = (scope.dimension, *CODE_KEYS) if scope.dimension else ("day",) if by_day else ()
    only_known(row, (*keys, *numbers), "cell.row")
    if by_day:
        return Place(day=_day(row.get("day")))
    return Place(filter_of(scope.dimension, row, "cell.row") if scope.dimension else None)


def _day(value: Any) -> dt.date:
    try:
        return dt.date.fromisoformat(value)
    except (TypeError, ValueError):
        raise InvalidInput("cell.row.day", "invalid", detail=str(value)[:40]) from None


# --------------------------------------------------------------------------------------------------------- addresses


def row_to_args(scope: Scope, row: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the part of an address that names a row; nothing for the totals."""
    if row is None:
        return {}
    if not scope.dimension:
        return {"day": str(row["day"])} if "day" in row else {}
    texts = write_address({"filters": [filter_of(scope.dimension, row).as_json()]})["where"]
    return {"row": texts[0]}


def funnel_cell_from_args(args: Mapping[str, str]) -> dict[str, Any]:
    """Return what :func:`parse_funnel_cell` reads from an address: ``took`` or ``lost``, and the row."""
    return _from_args(args, {"step": "took", "lost_after": "lost"})


def retention_cell_from_args(args: Mapping[str, str]) -> dict[str, Any]:
    """Return what :func:`parse_retention_cell` reads from an address: ``back``, and the row."""
    return _from_args(args, {"returned": "back"})


def _from_args(args: Mapping[str, str], keys: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {name: number_from(args[key]) for name, key in keys.items() if args.get(key)}
    if args.get("others"):
        found["others"] = True
    if args.get("row"):
        found["row"] = _row(args["row"])
    elif args.get("day"):
        found["row"] = {"day": args["day"]}
    return found


def _row(text: str) -> dict[str, Any]:
    (one,) = read_address({"where": text})["filters"]
    if one["op"] not in ("eq", "not_set"):
        raise InvalidInput("cell.row", "invalid", detail=text[:40])
    is_code = one["dimension"] == "code" and isinstance(one.get("value"), int)
    return {"code_id" if is_code else one["dimension"]: one.get("value")}


# ---------------------------------------------------------------------------------------------------------- segments


def funnel_rule(
    question: FunnelQuestion, cell: FunnelCell, saved: Mapping[str, Rule], *, now: dt.datetime, zone: ZoneInfo
) -> Rule:
    """
    Return the visitors behind a number of a funnel as a segment; arguments as of ``cell.rule_of``.

    Raises:
        InvalidInput: If the number has no such conditions: those know no order of steps, and of a group not which of
            several first steps was the earliest. Only all people of the first step have some.
    """
    if cell != FunnelCell():
        raise InvalidInput("cell", "not_a_segment")
    scope = question.scope
    days = scope.period.resolve(now, zone)
    took = Trait("did", scope.filters, Period(window=days), question.steps[0], attribution=scope.attribution)
    return among((took,), scope.segment, saved, whole=days, at=(now, zone))


def retention_rule(
    question: RetentionQuestion, cell: RetentionCell, saved: Mapping[str, Rule], *, now: dt.datetime, zone: ZoneInfo
) -> Rule:
    """
    Return the visitors behind a number of a retention as a segment; arguments as of ``cell.rule_of``.

    Raises:
        InvalidInput: If the number has no such conditions: what the limit left out, and who came back where several
            days of the start stand together, because conditions count no days from each person's own start.
    """
    scope, place = question.scope, cell.place
    window = scope.period.resolve(now, zone)
    days = window if place.day is None else Window(place.day, place.day)
    if days.since.toordinal() not in window.days:
        raise InvalidInput("cell.row.day", "unknown", detail=days.since.isoformat())
    if place.is_others or (cell.returned and days.since != days.until):
        raise InvalidInput("cell", "not_a_segment")
    filters = scope.filters + ((place.group,) if place.group else ())
    kind = "new" if question.start == FIRST_VISIT else "did"
    conditions = [Trait(kind, filters, Period(window=days), attribution=scope.attribution)]
    if cell.returned:
        back = days.since + dt.timedelta(days=cell.returned)
        if back >= now.astimezone(zone).date():
            raise InvalidInput("cell.returned", "not_a_segment")
        conditions.append(Trait("did", period=Period(window=Window(back, back)), event=question.returns))
    return among(tuple(conditions), scope.segment, saved, whole=window, at=(now, zone))

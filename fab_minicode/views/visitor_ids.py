"""
The host's own visitor ids: the setting ``VISITOR_ID``, for hosts that know better who a visitor is than a device id
tells, because somebody has logged in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fab_minicode.trackers import Event, Parsed, Rejection
from fab_minicode.trackers.fields import MAX_VISITOR_CHARACTERS

log = logging.getLogger(__name__)

FAILED, INVALID = "visitor_id_failed", "visitor_id_invalid"
"""Why an event was rejected: the host's function raised, or did not return 1 to 256 characters."""


def with_own_ids(parsed: Parsed, rule: Callable[..., Any], *, appid: str, tracker: str) -> Parsed:
    """
    Return a batch with the visitor ids that the host's function gives, not hashed yet.

    Args:
        parsed: The batch.
        rule: ``(appid, tracker, device id, user id or None) -> str | None``; None leaves the tracker's id. An event
            whose id it fails to give is rejected, and no other one.
        appid: The mini program.
        tracker: Name of the protocol.
    """
    events: list[tuple[int, Event]] = []
    rejected: list[Rejection] = []
    for index, event in parsed.events:
        try:
            own = rule(appid, tracker, event.visitor, event.user)
        except Exception as error:  # noqa: BLE001
            # The host's code may fail in any way. The type only: its message may hold the visitor's id.
            log.warning("FAB_MINICODE_VISITOR_ID failed: %s", type(error).__name__)
            rejected.append(Rejection(index, FAILED))
            continue
        if own is None:
            events.append((index, event))
        elif isinstance(own, str) and 0 < len(own) <= MAX_VISITOR_CHARACTERS:
            events.append((index, event._replace(visitor=own)))
        else:
            rejected.append(Rejection(index, INVALID))
    return replace(parsed, events=tuple(events), rejected=(*parsed.rejected, *rejected))

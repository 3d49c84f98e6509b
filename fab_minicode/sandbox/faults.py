"""
Fault switches: what can be made to go wrong, as one tuple. Each acts before the interface does its work (nothing is
made) or after it (a code was made and its quota is used, but the answer is spoiled).
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from fab_minicode.sandbox.answers import Answer, Asked, refusal_answer


@dataclass(frozen=True)
class FaultKind:
    """
    One thing that can go wrong.

    Attributes:
        name: The switch.
        makes: What happens, for people; ``value`` is what the switch may carry.
        value: Used when the switch carries none.
        before: ``value`` -> the answer given instead of the interface's, nothing being made; or None.
        after: ``(answer, value)`` -> the spoiled answer; or None.
    """

    name: str
    makes: str
    value: Any = None
    before: Callable[[Any], Answer] | None = None
    after: Callable[[Answer, Any], Answer] | None = None


def _html(status: int) -> Answer:
    page = f"<html><body><h1>{status}</h1><hr>openresty</body></html>"
    return Answer(page.encode("ascii"), "text/html", status=status)


def _redirect(location: str) -> Answer:
    return Answer(b"", "text/html", status=302, headers=(("Location", location),))


def _delivered(delivery: str) -> Callable[[Answer, Any], Answer]:
    return lambda answer, value: replace(answer, delivery=delivery, pace_seconds=float(value or 0))


def _truncated(answer: Answer, _value: Any) -> Answer:
    return replace(answer, body=answer.body[: len(answer.body) // 2])


def _huge(answer: Answer, size_bytes: int) -> Answer:
    return replace(answer, body=answer.body + b"\0" * max(0, size_bytes - len(answer.body)))


def _gif(_answer: Answer, _value: Any) -> Answer:
    out = io.BytesIO()
    Image.new("P", (430, 430)).save(out, "GIF")
    return Answer(out.getvalue(), "image/gif")


def _pixel_bomb(_answer: Answer, edge_px: int) -> Answer:
    out = io.BytesIO()
    Image.new("1", (edge_px, edge_px)).save(out, "PNG", compress_level=9)
    return Answer(out.getvalue(), "image/png")


def _changed(answer: Answer, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Answer:
    if not answer.body.startswith(b"{"):
        return answer
    return replace(answer, body=json.dumps(change(json.loads(answer.body)), ensure_ascii=False).encode("utf-8"))


def _errcode_text(answer: Answer, _value: Any) -> Answer:
    return _changed(answer, lambda document: {**document, "errcode": str(document.get("errcode", 0))})


def _expires_in(answer: Answer, value: Any) -> Answer:
    def change(document: dict[str, Any]) -> dict[str, Any]:
        rest = {key: kept for key, kept in document.items() if key != "expires_in"}
        return rest if value is None else {**rest, "expires_in": value}

    return _changed(answer, change)


FAULTS: tuple[FaultKind, ...] = (
    FaultKind("latency", "waits `value` seconds, then works as usual", 1.0),
    FaultKind("errcode", "refuses with the errcode `value`", -1, before=refusal_answer),
    FaultKind("html", "answers an HTML page with the HTTP status `value`", 500, before=_html),
    FaultKind("redirect", "answers 302 to `value`", "/elsewhere", before=_redirect),
    FaultKind("timeout", "does the work, then says nothing for `value` seconds", 60.0, after=_delivered("silent")),
    FaultKind("reset", "does the work, sends half of the body and resets the connection", after=_delivered("reset")),
    FaultKind("cut_off", "does the work, sends half of the body and hangs up", after=_delivered("cut_off")),
    FaultKind("slow_body", "sends a byte of the body every `value` seconds", 1.0, after=_delivered("slow_body")),
    FaultKind("slow_headers", "sends a byte of the headers every `value` s", 1.0, after=_delivered("slow_headers")),
    FaultKind("truncated", "sends a picture that ends in the middle", after=_truncated),
    FaultKind("huge", "fills the body up to `value` bytes", 10 * 1024 * 1024, after=_huge),
    FaultKind("empty", "sends an empty body", after=lambda answer, _: replace(answer, body=b"")),
    FaultKind("gif", "sends a GIF", after=_gif),
    FaultKind("pixel_bomb", "sends a small PNG of `value` x `value` pixels", 12_000, after=_pixel_bomb),
    FaultKind(
        "content_type", "sends the right body as `value`", "image/jpeg",
        after=lambda answer, value: replace(answer, content_type=value),
    ),
    FaultKind("errcode_text", "sends the errcode as text", after=_errcode_text),
    FaultKind("bom", "puts a byte order mark first", after=lambda a, _: replace(a, body=b"\xef\xbb\xbf" + a.body)),
    FaultKind("expires_in", "sends `value` as expires_in, or none when `value` is null", after=_expires_in),
)  # fmt: skip


@dataclass
class Switch:
    """
    A fault that is switched on.

    Attributes:
        name: Of :data:`FAULTS`.
        endpoint: Which interface, ``"*"`` for every one.
        appid: Which mini program, ``"*"`` for every one.
        times: How many calls are left to spoil; None: until it is switched off.
        value: As the fault describes it; None takes the fault's own (for ``expires_in`` it means none).
    """

    name: str
    endpoint: str = "*"
    appid: str = "*"
    times: int | None = 1
    value: Any = None

    def __post_init__(self) -> None:
        if self.name not in {kind.name for kind in FAULTS}:
            raise ValueError(f"no such fault: {self.name}")

    @property
    def kind(self) -> FaultKind:
        """The fault behind the switch."""
        return next(kind for kind in FAULTS if kind.name == self.name)

    @property
    def carried(self) -> Any:
        """The value that takes effect."""
        return self.kind.value if self.value is None else self.value

    def fits(self, asked: Asked) -> bool:
        """Return whether this call is to be spoiled."""
        return self.endpoint in ("*", asked.endpoint) and self.appid in ("*", asked.appid) and self.times != 0


class Switchboard:
    """The faults that are switched on, in the order in which they were."""

    def __init__(self) -> None:
        self._lock, self._switches = threading.Lock(), list[Switch]()

    def on(self, switch: Switch) -> None:
        """Switch a fault on."""
        with self._lock:
            self._switches.append(switch)

    def clear(self) -> None:
        """Switch all faults off."""
        with self._lock:
            self._switches.clear()

    def all(self) -> tuple[Switch, ...]:
        """Return what is switched on and not used up."""
        with self._lock:
            return tuple(switch for switch in self._switches if switch.times != 0)

    def take(self, asked: Asked) -> tuple[Switch, ...]:
        """Return the faults for this call and count them as used."""
        with self._lock:
            taken = tuple(switch for switch in self._switches if switch.fits(asked))
            for switch in taken:
                if switch.times is not None:
                    switch.times -= 1
            return taken

"""Token clocks: how WeChat's access tokens live, overlap and end. Source: docs/wechat.md, "Access tokens". Pure."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from fab_minicode.sandbox.answers import Refusal

LIFE_SECONDS, OVERLAP_SECONDS = 7200, 300
MAX_FORCED_PER_DAY, FORCED_APART_SECONDS = 20, 30
_DAY_SECONDS = 86_400


@dataclass
class Issued:
    """
    A token that was handed out; instants in Unix seconds. ``is_replaced`` tells 40001 from 42001 when it is dead,
    ``is_granted`` a third-party platform's token from the mini program's own.
    """

    appid: str
    dies_at: float
    is_replaced: bool = False
    is_granted: bool = False


@dataclass
class Clocks:
    """
    All tokens of all mini programs.

    ``stable`` and ``plain`` name each mini program's present token of the two interfaces, which do not disturb each
    other; ``forced`` the instants of its forced refreshes within a day.
    """

    issued: dict[str, Issued] = field(default_factory=dict)
    stable: dict[str, str] = field(default_factory=dict)
    plain: dict[str, str] = field(default_factory=dict)
    forced: dict[str, list[float]] = field(default_factory=dict)

    def stable_token(self, appid: str, *, force: bool, now: float) -> tuple[str, int]:
        """Return the token and its seconds left: the same one until its last five minutes, unless force is granted."""
        present = self.stable.get(appid)
        left = self.issued[present].dies_at - now if present else 0.0
        if present and force and self._may_force(appid, now):
            self.forced[appid].append(now)
            self._replace(present, dies_at=now)
        elif present and left > OVERLAP_SECONDS:
            return present, int(left)
        elif present:
            self._replace(present, dies_at=min(self.issued[present].dies_at, now + OVERLAP_SECONDS))
        self.stable[appid] = self._issue(appid, now)
        return self.stable[appid], LIFE_SECONDS

    def plain_token(self, appid: str, *, now: float) -> tuple[str, int]:
        """Return a new token each time; the one before works five minutes more."""
        present = self.plain.get(appid)
        if present:
            self._replace(present, dies_at=min(self.issued[present].dies_at, now + OVERLAP_SECONDS))
        self.plain[appid] = self._issue(appid, now)
        return self.plain[appid], LIFE_SECONDS

    def granted_token(self, appid: str, *, now: float) -> str:
        """Return a new token for a third-party platform; earlier ones live on."""
        token = self._issue(appid, now)
        self.issued[token].is_granted = True
        return token

    def end_granted(self, appid: str) -> None:
        """End all tokens of third-party platforms for a mini program, as a new authorisation or its end does."""
        for issued in self.issued.values():
            if issued.appid == appid and issued.is_granted:
                issued.dies_at, issued.is_replaced = 0.0, True

    def owner(self, token: str, *, now: float) -> str:
        """Return the AppID a token acts for. Raises Refusal 41001, 40014, 40001 or 42001."""
        if not token:
            raise Refusal(41001)
        found = self.issued.get(token)
        if found is None:
            raise Refusal(40001 if token.startswith("90_") else 40014)
        if now >= found.dies_at:
            raise Refusal(40001 if found.is_replaced else 42001)
        return found.appid

    def end(self, appid: str) -> None:
        """End all tokens of a mini program at once, as a reset of its secret does."""
        for issued in self.issued.values():
            if issued.appid == appid:
                issued.dies_at, issued.is_replaced = 0.0, True
        self.stable.pop(appid, None)
        self.plain.pop(appid, None)

    def _may_force(self, appid: str, now: float) -> bool:
        recent = [at for at in self.forced.get(appid, []) if at > now - _DAY_SECONDS]
        self.forced[appid] = recent
        return len(recent) < MAX_FORCED_PER_DAY and (not recent or now - recent[-1] >= FORCED_APART_SECONDS)

    def _replace(self, token: str, *, dies_at: float) -> None:
        self.issued[token].dies_at, self.issued[token].is_replaced = dies_at, True

    def _issue(self, appid: str, now: float) -> str:
        for token in [t for t, issued in self.issued.items() if issued.dies_at < now - _DAY_SECONDS]:
            del self.issued[token]
        token = f"90_{secrets.token_urlsafe(100)}"
        self.issued[token] = Issued(appid, now + LIFE_SECONDS)
        return token

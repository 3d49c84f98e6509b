"""
Say who knows which mini program by a rule of your own; here, by the domain of a person's address.

Run: ``flask --app examples/authorizer_scope.py minicode upgrade``, ``... fab create-admin``, ``... run``. For everybody
else a mini program is not there: no page, number, export or suggestion knows it.
"""

from __future__ import annotations

from typing import Any

from flask import Flask
from plain_host import make_app

TEAMS = {"tea.example.com": {"wx5a00c0ffee000001"}}
"""Domain -> AppIDs. ``HEADQUARTERS`` knows all."""

HEADQUARTERS = "example.org"


def known_to(user: Any, appids: frozenset[str]) -> set[str]:
    """Return those of ``appids`` that a person may know; ``user`` is the host's own, anonymous ones included."""
    domain = str(getattr(user, "email", "")).rpartition("@")[2]
    return set(appids) if domain == HEADQUARTERS else set(appids) & TEAMS.get(domain, set())


def create_app(**config: Any) -> Flask:
    """Return the host."""
    return make_app(**{"FAB_MINICODE_AUTHORIZER_SCOPE": f"{__name__}:known_to", **config})

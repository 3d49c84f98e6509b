"""
What every host compiles anew, compiled once for all hosts of a run: templates, and the builders of 170 addresses.

A test makes a host of its own; without this, half of its time goes here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Rule


def by(app: Flask) -> None:
    """Let an application that has no routes yet take what others compiled."""
    app.jinja_options = {"bytecode_cache": _Templates()}
    app.url_rule_class = _Rule


class _Templates(BytecodeCache):
    """Templates by their name and file; Jinja compares the source's checksum."""

    _kept: ClassVar[dict[str, bytes]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give what is kept."""
        if kept := self._kept.get(bucket.key):
            bucket.bytecode_from_string(kept)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep it."""
        self._kept[bucket.key] = bucket.bytecode_to_string()


class _Rule(Rule):
    """An address whose builder is that of an earlier one with the same parts: werkzeug writes it as Python code."""

    _kept: ClassVar[dict[tuple[Any, ...], Any]] = {}

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        # Werkzeug's own and unnamed: should it go, this is no longer asked, and hosts are slower again.
        if self.defaults:
            return super()._compile_builder(append_unknown)
        parts = (append_unknown, self.rule, *self._trace)
        if parts not in self._kept:
            self._kept[parts] = super()._compile_builder(append_unknown)
        return self._kept[parts]

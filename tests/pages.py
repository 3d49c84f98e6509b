"""What tests of pages share: a form as a browser sends it, and what a page says where."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from fab_minicode.models import Code
from tests import hosts

CODES = "/minicode/codes"
AUTHORIZERS = "/minicode/authorizers"

CHOICES = ("radio", "checkbox")

FIELDS = {
    "name": "Poster at gate 1",
    "landing_page": "pages/lists/lists?listID=123",
    "kind": "wxacode",
    "utm_source": "poster",
    "utm_campaign": "秋天 50%",
    "utm_medium": "",
    "utm_content": "",
    "utm_term": "",
    "width": "430",
    "colour": "black",
    "line_color": "#0a7350",
    "remark": "for 小王\r\nsecond line",
}
"""The form of a new code as a browser sends it."""


class Page(HTMLParser):
    """
    What a page holds.

    Attributes:
        values: Name of a form field -> its value; a check box or radio button only when it is checked.
        links: Address -> text of the link.
        text: All that is shown, white space folded.
        tags: Every start tag as ``(name, attributes)``.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._pieces: list[str] = []
        self._link = self._area = ""
        self.feed(html)
        self.text = " ".join(" ".join(self._pieces).split())

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append((tag, found))
        if tag == "a":
            self._link = found.get("href") or ""
            self.links.setdefault(self._link, "")
        elif tag == "textarea":
            self._area = found["name"]
            self.values[self._area] = ""
        elif tag == "input" and found.get("name") and (found.get("type") not in CHOICES or "checked" in found):
            self.values[found["name"]] = found.get("value") or ""

    def handle_endtag(self, tag):
        if tag == "a":
            self._link = ""
        elif tag == "textarea":
            # The first line break after the tag is not part of the value.
            self.values[self._area] = self.values[self._area].lstrip("\r\n")
            self._area = ""

    def handle_data(self, data):
        self._pieces.append(data)
        if self._area:
            self.values[self._area] += data
        elif self._link:
            self.links[self._link] += data.strip()

    def of(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of every ``tag``."""
        return [attrs for name, attrs in self.tags if name == tag]


def read(client: FlaskClient, address: str) -> Page:
    """Open a page that must be there."""
    answer = client.get(address)

    assert answer.status_code == 200, address
    return Page(answer.get_data(as_text=True))


def send(client: FlaskClient, address: str, **fields: str):
    """Send a form as a page of ours would."""
    return client.post(address, data={**fields, "csrf_token": hosts.csrf_token(client)})


def make(client: FlaskClient, **changed: str):
    """Send the form of a new code; ``FIELDS`` with some values changed."""
    return send(client, f"{CODES}/add", **{**FIELDS, **changed})


def rows(app: Flask, *columns: Any) -> list[Any]:
    """Return columns of every row of a table, in the order of the first."""
    with hosts.database(app) as session:
        return list(session.execute(select(*columns).order_by(*columns[:1])).all())


def only_code(app: Flask) -> Code:
    """Return the one code there is, detached."""
    with hosts.database(app) as session:
        code = session.execute(select(Code)).scalar_one()
        session.expunge_all()
        return code

"""
Every route of ours and who gets in: the one table. ``test_permissions`` knocks at each as everybody, with rows of their
own team and of a foreign one; ``docs/routes.md`` shows it. A route without a row fails a test.

To add a route: one row in :data:`ROUTES`. What stands in braces in an address or in what is sent is filled in by
:class:`tests.people.World`: ``{code}``, ``{program}`` ... A route whose argument is not the row of its address's
prefix says so in ``at``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PEOPLE = ("anonymous", "inactive", "public", "nobody", "menus", "viewer", "creator", "manager", "admin")
"""
``inactive`` was a manager and is still logged in. ``public`` has not logged in, at a host whose public role may do
what a viewer may and is on the team; everywhere else that role holds nothing. ``nobody`` has a role that holds nothing,
``menus`` one that holds menu access only; ``viewer``, ``creator`` and ``manager`` our three roles, ``admin`` the host's
one.
"""

_PREFIXES = (
    ("/minicode/authorizers/back/", "no-such-nonce"),
    ("/minicode/authorizers/", "{program}"),
    ("/minicode/codes/adopt/", "{ghost}"),
    ("/minicode/codes/", "{code}"),
    ("/api/v1/minicode/authorizers/", "{appid}"),
    ("/api/v1/minicode/codes/", "{code}"),
    ("/api/v1/minicode/aliases/", "{alias}"),
    ("/minicode/analysis/vocabulary/undo/", "{alias}"),
    ("/minicode/analysis/segments/", "{segment}"),
    ("/api/v1/minicode/segments/", "{segment}"),
    ("/minicode/analysis/", "{question}"),
    ("/minicode/boards/", "{board}"),
    ("/api/v1/minicode/questions/", "{question}"),
    ("/minicode/collect/", "unknown-key-of-nobody"),
    ("/static/", "minicode.css"),
)
"""What stands in the place of a route's argument, by the beginning of its address; the first that fits."""


@dataclass(frozen=True)
class Route:
    """
    One method of one route.

    Attributes:
        method: As HTTP writes it.
        rule: As the application's ``url_map`` writes it.
        statuses: What :data:`PEOPLE` are answered, separated by spaces, when the row is one of their own team.
        sent: A form (pages) or JSON (REST); always valid, so that only the permission decides.
        at: The address with its arguments, where ``_PREFIXES`` do not tell it; with a query string, if it needs one.
        is_proved: Whether a foreign mini program is told of because its secret comes along.
    """

    method: str
    rule: str
    statuses: str
    sent: Any = None
    at: str = ""
    is_proved: bool = False

    @property
    def address(self) -> str:
        """The address, with braces where something is to be filled in."""
        if self.at or "<" not in self.rule:
            return self.at or self.rule
        thing = next(thing for prefix, thing in _PREFIXES if self.rule.startswith(prefix))
        before, _, rest = self.rule.partition("<")
        return before + thing + rest.partition(">")[2]

    @property
    def is_rest(self) -> bool:
        """Whether JSON is sent."""
        return self.rule.startswith(("/api/", "/minicode/collect/"))

    def expected(self) -> dict[str, int]:
        """Return who is answered what."""
        return dict(zip(PEOPLE, map(int, self.statuses.split()), strict=True))


# A page sends a stranger to the login (302) and refuses who may not (403); REST says 401 and 403.
READS = "302 302 200 403 403 200 200 200 200"
MAKES = "302 302 302 403 403 403 200 200 200"
MANAGES = "302 302 302 403 403 403 403 200 200"
READS_AND_IS_LED_ON = "302 302 302 403 403 302 302 302 302"
MAKES_AND_IS_LED_ON = "302 302 302 403 403 403 302 302 302"
MANAGES_AND_IS_LED_ON = "302 302 302 403 403 403 403 302 302"
REST_READS, REST_MAKES, REST_MANAGES = (
    "401 401 200 403 403 200 200 200 200",
    "401 401 401 403 403 403 200 200 200",
    "401 401 401 403 403 403 403 200 200",
)
REST_READS_WHAT_IS_NOT_THERE = "401 401 404 403 403 404 404 404 404"
GETS_NOTHING_BACK = "302 302 302 403 403 403 403 204 204"
REST_MAKES_NEW = "401 401 401 403 403 403 201 201 201"
READS_WHAT_IS_NOT_THERE = "302 302 404 403 403 404 404 404 404"
MANAGES_WHAT_IS_NOT_THERE = "302 302 302 403 403 403 403 404 404"
MACHINES = "403 403 403 403 403 403 403 403 403"
FREE = "200 200 200 200 200 200 200 200 200"

CODE = {
    "appid": "{appid}",
    "name": "made here",
    "landing_page": "pages/a",
    "kind": "wxacode_unlimited",
    "utm_source": "poster",
}
SEGMENT = {"appid": "{appid}", "name": "New people", "conditions": [{"kind": "new"}]}
SEGMENT_FORM = {"appid": "{appid}", "name": "New people", "c0-kind": "new"}
SAVED = {"name": "saved here", "visibility": "owner"}
FORM = {**CODE, "width": "430", "colour": "black"}
CONNECTION = {"appid": "{appid}", "secret": "{secret}"}
ANALYSIS, ALIASES = "/api/v1/minicode/analysis", "/api/v1/minicode/aliases"
ALIAS = {"appid": "{appid}", "dimension": "utm_source", "value": "weixin", "target": "Weixin"}
QUESTION = {"appid": "{appid}", "metrics": ["users"]}

ROUTES: tuple[Route, ...] = (
    Route("GET", "/minicode/", READS_AND_IS_LED_ON),
    # codes
    Route("GET", "/minicode/codes/list/", READS, at="/minicode/codes/list/?appid={appid}"),
    Route("GET", "/minicode/codes/show/<pk>", READS),
    Route("GET", "/minicode/codes/thumbnail/<pk>", READS),
    Route("GET", "/minicode/codes/image/<pk>", MAKES),
    Route("GET", "/minicode/codes/add", MAKES, at="/minicode/codes/add?appid={appid}&like={code}"),
    Route("POST", "/minicode/codes/add", MAKES_AND_IS_LED_ON, FORM),
    Route("POST", "/minicode/codes/retry/<pk>", MAKES_AND_IS_LED_ON, {}),
    Route("GET", "/minicode/codes/edit/<pk>", MANAGES),
    Route("POST", "/minicode/codes/edit/<pk>", MANAGES_AND_IS_LED_ON, {"name": "renamed here"}),
    Route("GET", "/minicode/codes/ask_delete/<pk>", MANAGES),
    Route("POST", "/minicode/codes/delete/<pk>", MANAGES_AND_IS_LED_ON, {}),
    Route("GET", "/minicode/codes/ghosts/", READS, at="/minicode/codes/ghosts/?appid={appid}"),
    Route("GET", "/minicode/codes/adopt/<pk>", MAKES),
    Route("POST", "/minicode/codes/adopt/<pk>", MAKES, {"name": "no such code"}),
    Route("POST", "/minicode/codes/release/<pk>", MANAGES_WHAT_IS_NOT_THERE, {"ghost": "{ghost}"}),
    # mini programs and teams
    Route("GET", "/minicode/authorizers/list/", READS),
    Route("GET", "/minicode/authorizers/show/<pk>", READS),
    Route("GET", "/minicode/authorizers/head_image/<pk>", READS),
    Route("GET", "/minicode/authorizers/connect", MANAGES, at="/minicode/authorizers/connect?appid={appid}"),
    Route("POST", "/minicode/authorizers/connect", MANAGES_AND_IS_LED_ON, CONNECTION, is_proved=True),
    Route("GET", "/minicode/authorizers/revoke/<pk>", MANAGES),
    Route("POST", "/minicode/authorizers/revoke/<pk>", MANAGES_AND_IS_LED_ON, {"confirmation": "{program_appid}"}),
    Route("POST", "/minicode/authorizers/leave", MANAGES_AND_IS_LED_ON, FORM),
    Route("GET", "/minicode/authorizers/back/<nonce>", MANAGES_AND_IS_LED_ON),
    Route("GET", "/minicode/authorizers/rotate_key/<pk>", MANAGES),
    Route("POST", "/minicode/authorizers/rotate_key/<pk>", MANAGES_AND_IS_LED_ON, {}),
    Route("GET", "/minicode/authorizers/roles/<pk>", MANAGES),
    Route("POST", "/minicode/authorizers/roles/<pk>", MANAGES_AND_IS_LED_ON, {"role": "Minicode Manager"}),
    Route("GET", "/minicode/authorizers/hand_over", MANAGES),
    Route("POST", "/minicode/authorizers/hand_over", MANAGES_AND_IS_LED_ON, {"leaver": "{leaver}", "to": "creator"}),
    # analysis
    Route("GET", "/minicode/analysis/", READS, at="/minicode/analysis/?appid={appid}"),
    Route("GET", "/minicode/analysis/vocabulary", READS, at="/minicode/analysis/vocabulary?appid={appid}"),
    Route("POST", "/minicode/analysis/vocabulary/merge", MAKES_AND_IS_LED_ON, ALIAS),
    Route("POST", "/minicode/analysis/vocabulary/undo/<pk>", MAKES_AND_IS_LED_ON, {}),
    Route("GET", "/minicode/analysis/export", MANAGES, at="/minicode/analysis/export?appid={appid}&format=csv"),
    Route("POST", "/minicode/analysis/picture", GETS_NOTHING_BACK, {}, at="/minicode/analysis/picture?appid={appid}"),
    # saved questions
    Route("GET", "/minicode/analysis/<int:pk>", READS),
    Route("GET", "/minicode/analysis/saved/", READS),
    Route("GET", "/minicode/analysis/save", MAKES, at="/minicode/analysis/save?appid={appid}"),
    Route("POST", "/minicode/analysis/save", MAKES_AND_IS_LED_ON, SAVED, at="/minicode/analysis/save?appid={appid}"),
    Route("GET", "/minicode/analysis/saved/<int:pk>/edit", MAKES),
    Route("POST", "/minicode/analysis/saved/<int:pk>/edit", MAKES, {"name": "changed here"}),
    Route(
        "POST",
        "/minicode/analysis/saved/<int:pk>/keep",
        MAKES_AND_IS_LED_ON,
        {},
        at="/minicode/analysis/saved/{question}/keep?appid={appid}",
    ),
    Route("POST", "/minicode/analysis/saved/<int:pk>/lock", MAKES_AND_IS_LED_ON, {"is_locked": "1"}),
    Route("GET", "/minicode/analysis/saved/<int:pk>/hand_over", MAKES),
    Route("POST", "/minicode/analysis/saved/<int:pk>/hand_over", MAKES, {"owner": "creator"}),
    Route("GET", "/minicode/analysis/saved/<int:pk>/remove", MAKES),
    Route("POST", "/minicode/analysis/saved/<int:pk>/remove", MAKES_AND_IS_LED_ON, {}),
    # funnel, retention, visitors, segments
    Route("GET", "/minicode/analysis/funnel/", READS, at="/minicode/analysis/funnel/?appid={appid}"),
    Route("GET", "/minicode/analysis/retention/", READS, at="/minicode/analysis/retention/?appid={appid}"),
    Route("GET", "/minicode/analysis/visitors", READS, at="/minicode/analysis/visitors?appid={appid}"),
    Route(
        "GET",
        "/minicode/analysis/visitors/<pseudonym>",
        READS_WHAT_IS_NOT_THERE,
        at="/minicode/analysis/visitors/0000-0000-0000?appid={appid}",
    ),
    Route("GET", "/minicode/analysis/segments/", READS, at="/minicode/analysis/segments/?appid={appid}"),
    Route("GET", "/minicode/analysis/segments/add", MAKES, at="/minicode/analysis/segments/add?appid={appid}"),
    Route("POST", "/minicode/analysis/segments/add", MAKES_AND_IS_LED_ON, SEGMENT_FORM),
    Route("GET", "/minicode/analysis/segments/edit/<pk>", MAKES),
    Route("POST", "/minicode/analysis/segments/edit/<pk>", MAKES_AND_IS_LED_ON, SEGMENT_FORM),
    Route("GET", "/minicode/analysis/segments/ask_delete/<pk>", MAKES),
    Route("POST", "/minicode/analysis/segments/delete/<pk>", MAKES_AND_IS_LED_ON, {}),
    # boards
    Route("GET", "/minicode/boards/", READS),
    Route("POST", "/minicode/boards/add", MAKES_AND_IS_LED_ON, {"name": "made here"}),
    Route("GET", "/minicode/boards/<int:pk>", READS),
    Route("GET", "/minicode/boards/<int:pk>/card/<int:place>", READS, at="/minicode/boards/{board}/card/0"),
    Route("POST", "/minicode/boards/<int:pk>/put", MAKES_AND_IS_LED_ON, {"question": "headline:{appid}"}),
    Route("POST", "/minicode/boards/<int:pk>/move", MAKES_AND_IS_LED_ON, {"place": "0"}),
    Route("POST", "/minicode/boards/<int:pk>/take_off", MAKES_AND_IS_LED_ON, {"place": "0"}),
    Route("GET", "/minicode/boards/<int:pk>/edit", MAKES),
    Route("POST", "/minicode/boards/<int:pk>/edit", MAKES, {"name": "renamed here"}),
    Route("POST", "/minicode/boards/<int:pk>/remove", MAKES_AND_IS_LED_ON, {}),
    # audit
    Route("GET", "/minicode/audit/list/", MANAGES, at="/minicode/audit/list/?appid={appid}"),
    Route("GET", "/minicode/audit/export", MANAGES, at="/minicode/audit/export?appid={appid}"),
    # REST
    Route("GET", "/api/v1/minicode/authorizers/", REST_READS),
    Route("GET", "/api/v1/minicode/authorizers/<appid>/quota", REST_READS),
    Route("GET", "/api/v1/minicode/codes/", REST_READS, at="/api/v1/minicode/codes/?appid={appid}"),
    Route("POST", "/api/v1/minicode/codes/", REST_MAKES_NEW, CODE),
    Route("GET", "/api/v1/minicode/codes/<pk>", REST_READS),
    Route("PUT", "/api/v1/minicode/codes/<pk>", REST_MANAGES, {"name": "renamed here"}),
    Route("DELETE", "/api/v1/minicode/codes/<pk>", REST_MANAGES),
    Route("POST", "/api/v1/minicode/codes/<pk>/retry", REST_MAKES, {}),
    Route("GET", "/api/v1/minicode/codes/<pk>/image", REST_MAKES),
    Route("POST", "/api/v1/minicode/analysis/query", REST_READS, QUESTION),
    Route("POST", "/api/v1/minicode/analysis/attributions", REST_READS, {"appid": "{appid}"}),
    Route("POST", "/api/v1/minicode/analysis/sql", REST_READS, {"appid": "{appid}"}),
    Route(
        "GET",
        "/api/v1/minicode/analysis/values",
        REST_READS,
        at=f"{ANALYSIS}/values?appid={{appid}}&dimension=utm_source",
    ),
    Route("GET", "/api/v1/minicode/analysis/events", REST_READS, at=f"{ANALYSIS}/events?appid={{appid}}"),
    Route(
        "GET", "/api/v1/minicode/analysis/headline", REST_READS, at="/api/v1/minicode/analysis/headline?appid={appid}"
    ),
    Route("GET", "/api/v1/minicode/aliases/", REST_READS, at=f"{ALIASES}/?appid={{appid}}"),
    Route("GET", "/api/v1/minicode/aliases/suggestions", REST_READS, at=f"{ALIASES}/suggestions?appid={{appid}}"),
    Route("POST", "/api/v1/minicode/aliases/", REST_MAKES_NEW, ALIAS),
    Route("DELETE", "/api/v1/minicode/aliases/<pk>", REST_MAKES),
    Route("GET", "/api/v1/minicode/analysis/export", REST_MANAGES, at=f"{ANALYSIS}/export?appid={{appid}}&format=csv"),
    Route(
        "POST",
        "/api/v1/minicode/analysis/export",
        REST_MANAGES,
        {"appid": "{appid}"},
        at=f"{ANALYSIS}/export?format=csv",
    ),
    Route("GET", "/api/v1/minicode/questions/", REST_READS),
    Route("POST", "/api/v1/minicode/questions/", REST_MAKES_NEW, {"name": "x", "question": {"appid": "{appid}"}}),
    Route("GET", "/api/v1/minicode/questions/<pk>", REST_READS),
    Route("GET", "/api/v1/minicode/questions/<pk>/answer", REST_READS),
    Route("PUT", "/api/v1/minicode/questions/<pk>", REST_MANAGES, {"name": "y"}),
    Route("DELETE", "/api/v1/minicode/questions/<pk>", REST_MANAGES),
    Route("POST", "/api/v1/minicode/analysis/funnel", REST_READS, {"appid": "{appid}", "steps": ["visit", "visit"]}),
    Route("POST", "/api/v1/minicode/analysis/retention", REST_READS, {"appid": "{appid}"}),
    Route("POST", f"{ANALYSIS}/funnel/sql", REST_READS, {"appid": "{appid}", "steps": ["visit", "visit"]}),
    Route("POST", f"{ANALYSIS}/retention/sql", REST_READS, {"appid": "{appid}"}),
    Route("POST", "/api/v1/minicode/analysis/visitors", REST_READS, {"question": {"appid": "{appid}"}}),
    Route(
        "GET",
        "/api/v1/minicode/analysis/visitors/<pseudonym>",
        REST_READS_WHAT_IS_NOT_THERE,
        at=f"{ANALYSIS}/visitors/0000-0000-0000?appid={{appid}}",
    ),
    Route("GET", "/api/v1/minicode/segments/", REST_READS, at="/api/v1/minicode/segments/?appid={appid}"),
    Route("POST", "/api/v1/minicode/segments/", REST_MAKES_NEW, SEGMENT),
    Route("GET", "/api/v1/minicode/segments/<pk>", REST_READS),
    Route("PUT", "/api/v1/minicode/segments/<pk>", REST_MAKES, {"name": "Renamed"}),
    Route("DELETE", "/api/v1/minicode/segments/<pk>", REST_MAKES),
    # The doors of machines know no people: an unknown key or an unsigned push is 403 for everybody.
    Route("POST", "/minicode/collect/growingio/v3/projects/<key>/collect", MACHINES, {}),
    Route("GET", "/minicode/collect/sensors", MACHINES, at="/minicode/collect/sensors?project=unknown-key"),
    Route("POST", "/minicode/collect/sensors", MACHINES, {}, at="/minicode/collect/sensors?project=unknown-key"),
    Route("POST", "/minicode/collect/v1/<key>", MACHINES, {}),
    Route("GET", "/minicode/wechat/events", MACHINES),
    Route("POST", "/minicode/wechat/events", MACHINES, {}),
    Route("GET", "/static/fab_minicode/<path:filename>", FREE),
)

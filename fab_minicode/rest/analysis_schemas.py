"""What questions and answers look like, for ``/swagger/v1``."""

from __future__ import annotations

from typing import Any

from fab_minicode.acquisition.dimensions import NAMES
from fab_minicode.acquisition.metrics import ATTRIBUTIONS, MEASURES, METRICS
from fab_minicode.acquisition.question_fields import WINDOW_NAMES
from fab_minicode.acquisition.windows import COMPARISONS, GRANULARITIES

ANSWER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "window": {
            "type": "object",
            "properties": {
                "since": {"type": "string", "format": "date"},
                "until": {"type": "string", "format": "date"},
                "timezone": {"type": "string"},
            },
        },
        "columns": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "role": {"type": "string", "enum": ["time", "dimension", "metric"]},
                    "label": {"type": "string"},
                },
            },
        },
        "rows": {"type": "array", "items": {"type": "object"}},
        "totals": {"type": "object"},
        "others": {"type": "object", "nullable": True},
        "previous": {"type": "object", "nullable": True},
        "definitions": {"type": "object"},
        "names": {
            "type": "object",
            "description": "Readable names of WeChat's entry scenes and of saved segments that the answer holds",
        },
        "freshness": {
            "type": "object",
            "properties": {
                "until": {"type": "string", "format": "date-time", "nullable": True},
                "pending": {"type": "integer"},
            },
        },
    },
}
QUESTION_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["appid"],
    "properties": {
        "appid": {"type": "string"},
        "metrics": {
            "type": "array",
            "items": {
                "oneOf": [
                    {"type": "string", "enum": [metric.name for metric in METRICS]},
                    {
                        "type": "object",
                        "required": ["event", "as"],
                        "properties": {
                            "event": {"type": "string"},
                            "as": {"type": "string", "enum": list(MEASURES)},
                        },
                    },
                ]
            },
        },
        "dimensions": {"type": "array", "items": {"type": "string", "enum": list(NAMES)}},
        "filters": {"type": "array", "items": {"type": "object"}},
        "segments": {"type": "array", "items": {"type": "string"}},
        "window": {
            "oneOf": [
                {"type": "string", "enum": list(WINDOW_NAMES)},
                {"type": "object", "description": '{"last_days": n} or {"since": "YYYY-MM-DD", "until": "YYYY-MM-DD"}'},
            ]
        },
        "granularity": {"type": "string", "enum": list(GRANULARITIES)},
        "attribution": {"type": "string", "enum": list(ATTRIBUTIONS)},
        "compare": {"type": "string", "enum": list(COMPARISONS), "nullable": True},
        "limit": {"type": "integer"},
    },
}

_COUNTS: dict[str, Any] = {"users": {"type": "integer"}, "visits": {"type": "integer"}}
VALUES_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "dimension": {"type": "string", "enum": list(NAMES)},
        "window": {"type": "object"},
        "count": {"type": "integer", "description": "Values that match, those not shown included"},
        "result": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "value": {"type": "string"},
                    **_COUNTS,
                    "id": {"type": "integer", "description": "Of a code"},
                    "deleted": {"type": "boolean", "description": "Of a code"},
                    "name": {"type": "string", "description": "Of an entry scene"},
                    "aliases": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
        "not_set": {"type": "object", "properties": _COUNTS},
    },
}
EVENTS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "count": {"type": "integer"},
        "result": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "event": {"type": "string"},
                    "users": {"type": "integer"},
                    "times": {"type": "integer"},
                },
            },
        },
    },
}
SQL_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "window": {"type": "object"},
        "raw": {"type": "string", "description": "SQL that compares the single events with the raw ones"},
        "raw_since": {
            "type": "string",
            "format": "date",
            "nullable": True,
            "description": "The first day whose single events are still there, if the window has days before it",
        },
        "statements": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "metric": {
                        "type": "string",
                        "description": "Of a funnel steps or groups, of a retention starts or returned",
                    },
                    "segment": {"type": "string"},
                    "sqlite": {"type": "string", "nullable": True},
                    "postgresql": {"type": "string", "nullable": True},
                    "complete": {"type": "boolean"},
                },
            },
        },
    },
}

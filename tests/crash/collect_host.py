"""The host of the crash test (``gunicorn tests.crash.collect_host:app``); database and keys come by environment."""

import os

from tests import hosts

URL = os.environ["COLLECT_HOST_URL"]
IS_SQLITE = URL.startswith("sqlite")
app = hosts.make_host(
    URL,
    SQLALCHEMY_ENGINE_OPTIONS={
        "connect_args": {"timeout": float(os.environ["COLLECT_HOST_LOCK_SECONDS"])} if IS_SQLITE else {}
    },
    FAB_MINICODE_SECRET_KEYS=[os.environ["COLLECT_HOST_KEY"]],
    FAB_MINICODE_ROLLUP="thread",
    FAB_MINICODE_ROLLUP_SECONDS=0.3,
    FAB_MINICODE_COLLECT_RATE="",
)
# Served with --preload: workers must not share the connections that the host opened while it started.
hosts.engine_of(app).dispose()

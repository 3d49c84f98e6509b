"""
Apache Superset's configuration in the test: what docs/hosts.md tells an operator to write, and a local WeChat.

Everything else is Superset's own default: its content security policy, its CSRF protection, its request limits.
"""

import os

SECRET_KEY = "a Superset for one test, on the loopback address only"
SQLALCHEMY_DATABASE_URI = os.environ["HOST_DATABASE"]
LANGUAGES = {"en": {"flag": "us", "name": "English"}, "zh": {"flag": "cn", "name": "Chinese"}}

ADDON_MANAGERS = ["fab_minicode.manager.MinicodeManager"]
FAB_MINICODE_SECRET_KEYS = [os.environ["HOST_FERNET_KEY"]]
FAB_MINICODE_PUBLIC_URL = os.environ["HOST_ADDRESS"]
FAB_MINICODE_WECHAT_API_URL = os.environ["HOST_WECHAT"]

"""Airflow's ``webserver_config.py`` in the test: what docs/hosts.md tells an operator to write, and a local WeChat."""

import os

LANGUAGES = {"en": {"flag": "us", "name": "English"}, "zh": {"flag": "cn", "name": "Chinese"}}

FAB_MINICODE_SECRET_KEYS = [os.environ["HOST_FERNET_KEY"]]
FAB_MINICODE_PUBLIC_URL = os.environ["HOST_ADDRESS"]
FAB_MINICODE_WECHAT_API_URL = os.environ["HOST_WECHAT"]

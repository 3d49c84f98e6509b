"""
A local WeChat: a real HTTP server with state, quotas, token clocks, strict argument checks and fault switches.

For the demo, the tests and integrators' CI. Nothing in the product imports it; it is reached over HTTP like WeChat
itself, by ``FAB_MINICODE_WECHAT_API_URL``. ``python -m fab_minicode.sandbox`` runs it alone, ``with Sandbox() as
sandbox`` in a thread. What it does and how faults are switched on is told in docs/wechat.md, "The sandbox".
"""

from fab_minicode.sandbox.faults import FAULTS
from fab_minicode.sandbox.pictures import Unreadable, draw_dial, read_dial
from fab_minicode.sandbox.platform import PlatformApp
from fab_minicode.sandbox.server import Sandbox
from fab_minicode.sandbox.world import SAMPLE_APPS, App

__all__ = ["FAULTS", "SAMPLE_APPS", "App", "PlatformApp", "Sandbox", "Unreadable", "draw_dial", "read_dial"]

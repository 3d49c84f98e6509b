"""
A Flask-AppBuilder add-on for WeChat mini-program codes and what they bring.

Hosts name ``fab_minicode.manager.MinicodeManager`` in ``ADDON_MANAGERS``; nothing is imported here, so that
``import fab_minicode`` stays free of Flask.
"""

__version__ = "0.1.0"

"""
A small host to try things out: ``python -m fab_minicode.demo`` (``make demo``).

Everything in it came through the real doors: mini programs were connected against the local WeChat of
``fab_minicode.sandbox``, codes were planned and generated, events were posted to the collector over HTTP.
"""

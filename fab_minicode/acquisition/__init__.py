"""
What codes bring: events in (``accept``), events counted (``rollup``), questions answered (``query``). No Flask here.
"""

"""Measurements of docs/performance.md; see ``python -m bench``."""

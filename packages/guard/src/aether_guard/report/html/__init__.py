"""The report as one HTML file that needs nothing else: no network, no script."""

from __future__ import annotations

from aether_guard.report.html.page import render_html

__all__ = ["render_html"]

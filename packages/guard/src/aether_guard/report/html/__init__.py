"""The report as one self-contained HTML file, without network access or scripts."""

from __future__ import annotations

from aether_guard.report.html.page import render_html

__all__ = ["render_html"]

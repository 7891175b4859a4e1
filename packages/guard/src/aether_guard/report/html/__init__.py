"""The report as one self-contained HTML file, without network access or scripts."""

from __future__ import annotations

from aether_guard.report.html.page import render_html
from aether_guard.report.html.summary_pair import SummaryPair

__all__ = ["SummaryPair", "render_html"]

"""Render verdicts as text, JSON, Markdown, HTML, JUnit XML and annotations."""

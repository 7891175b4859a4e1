"""Reports of verdicts: text, JSON, Markdown, JUnit, annotations."""

"""Reports of a history: text, Markdown, HTML."""

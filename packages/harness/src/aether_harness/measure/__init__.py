"""One run: its plan, its rounds, disturbed samples, the summary."""

"""The bench interface, and benches made of functions and commands."""

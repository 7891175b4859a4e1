"""The commands of `aether-bench`, one module per command."""

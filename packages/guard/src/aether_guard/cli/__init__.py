"""The commands of `aether-guard`, one module per command."""

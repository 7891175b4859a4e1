"""Run git."""

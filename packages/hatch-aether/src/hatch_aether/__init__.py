"""Hatch plugins for Aether Bench: an environment collector and a build hook."""

"""A tox plugin for Aether Bench: the environments `bench` and `guard`."""

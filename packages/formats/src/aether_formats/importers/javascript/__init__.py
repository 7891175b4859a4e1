"""Importers for benchmark tools of JavaScript."""

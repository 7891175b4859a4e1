"""Importers, one module per format."""

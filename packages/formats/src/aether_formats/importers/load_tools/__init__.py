"""Importers for load generators."""

"""Sweeps over parameters: their points, tables and plots."""

"""Packers: archive formats and their compression."""

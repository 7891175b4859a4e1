"""The commands `record` and `trend` of `aether-guard`."""

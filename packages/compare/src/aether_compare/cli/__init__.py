"""The commands `ab` and `bisect` of `aether-guard`."""

"""HTTP messages and exchanges of the mock server."""

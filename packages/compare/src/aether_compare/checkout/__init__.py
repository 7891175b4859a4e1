"""Check out revisions and prepare their environments."""

"""Uploaders behind one interface, so that every kind of upload works with each of them."""

"""Uploaders: what sends, behind one interface, so that every kind of upload works with every one of them."""

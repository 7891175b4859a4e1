"""Sockets: connecting, busy polling, TLS."""

"""The sequential test and the models under it."""

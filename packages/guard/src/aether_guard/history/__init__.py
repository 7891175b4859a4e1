"""The history: runs kept in files, the changes in their course, and what shows them."""

from __future__ import annotations

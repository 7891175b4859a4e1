"""Counts of an operation that do not vary with the machine: bytecodes, and other counters by entry points."""

"""The commands of `aether-bench`, one module each: `add_to` describes its options, `execute` runs it."""

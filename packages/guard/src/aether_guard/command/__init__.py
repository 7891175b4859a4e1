"""The commands of `aether-guard`, one module each: `add_to` describes its options, `execute` runs it."""

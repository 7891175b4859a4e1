"""Read other tools' files: JSON, tables, XML."""

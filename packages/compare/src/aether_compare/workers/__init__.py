"""Two workers, one per version, sampled in turn."""

"""Two versions of a bench against one another, interleaved, until the evidence suffices."""

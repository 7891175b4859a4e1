"""Reference kernels, timed next to every sample."""

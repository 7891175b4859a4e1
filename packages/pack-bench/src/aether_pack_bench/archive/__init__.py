"""Read and write archives safely."""

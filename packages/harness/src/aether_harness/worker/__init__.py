"""Worker processes: the client that starts one, the protocol, and the worker itself."""

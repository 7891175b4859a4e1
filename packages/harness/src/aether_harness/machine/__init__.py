"""The machine and the operating system: CPUs, processes, signals, files."""

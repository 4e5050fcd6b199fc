"""What make runs: gets MicroPython, compiles the board's files, checks the project's own rules."""

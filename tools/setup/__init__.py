"""What `make setup` runs: runtimes, type stubs and the board's bytecode. CPython's own library only."""

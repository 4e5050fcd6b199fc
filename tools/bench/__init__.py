"""Measures speed and memory: what BENCHMARKS.md holds."""

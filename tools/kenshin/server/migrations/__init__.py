"""The tables' history: each version is a step, taken once, in one transaction with the others."""

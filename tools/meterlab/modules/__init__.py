"""Radio modules: one personality per UART language, one table row per product."""

"""Everything at work on one PC: meter, radio module, virtual board, server."""

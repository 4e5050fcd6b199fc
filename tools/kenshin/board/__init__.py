"""`kenshin board ...`: flash, configure, watch and back up a board at its serial line."""

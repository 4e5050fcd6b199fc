"""Years of a gateway's life in minutes: virtual time, faults drawn from seeds, and a judge."""

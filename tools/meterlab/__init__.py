"""meterlab: smart meters, B-route radio modules and boards that exist only on this PC."""

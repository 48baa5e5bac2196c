"""Metrics and health of the daemon over HTTP, for who watches it from outside. Only ``batchd run`` serves them."""

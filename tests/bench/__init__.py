"""``scripts/bench``: a whole cycle of batchd beside a bare script and beside the floor, in one call."""

"""The composition root: the only place where concrete things are made and put together."""

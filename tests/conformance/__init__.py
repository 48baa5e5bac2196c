"""One suite for every database and every vendor, the fakes included."""

"""Small sabotages of the code that keeps a promise, each of which must turn the suite red."""

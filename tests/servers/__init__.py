"""Database servers of the tests' own: on free ports of this machine, their data in a folder that goes with them."""

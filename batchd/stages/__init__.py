"""The verbs of the pipeline, one a file. Each finds its work in the ledger, does it, commits, and counts."""

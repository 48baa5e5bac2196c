"""batchd turns rows of a SQL table into finished LLM work through a vendor's Batch API."""

__version__ = "0.1.0"

"""Servers that speak the Batch API, behind the ``Vendor`` port. Importing this package loads no SDK."""

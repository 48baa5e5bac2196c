"""Request and result files on disk: durable, private, measured while they are written."""

from batchd.spool.folder import FolderSpool

__all__ = ["FolderSpool"]

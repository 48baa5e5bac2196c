"""Drills: real processes, killed at fault points or set before a hostile vendor, judged by rows, ledger and money."""

"""Hears from vendors that a batch has ended, and wakes the next look at it. Never the truth: a look finds that."""

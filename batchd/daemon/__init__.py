"""Continuous mode and bounded runs: who runs when. The only package that schedules, and the only one that waits."""

from batchd.daemon.bounded import BoundedRun
from batchd.daemon.herald import Herald
from batchd.daemon.plan import Bounds, Plan, Schedule, turn_of
from batchd.daemon.service import Service
from batchd.daemon.setup import Reloads, Setup

__all__ = ["BoundedRun", "Bounds", "Herald", "Plan", "Reloads", "Schedule", "Service", "Setup", "turn_of"]

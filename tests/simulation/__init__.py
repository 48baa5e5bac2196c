"""A discrete-event simulation of large backlogs: real packing, pacing, quota and shares; simulated clock and vendor."""

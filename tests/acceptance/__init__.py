"""The real command, in real processes, with real signals, against the sandbox over HTTP."""

"""Stand-ins for the ports, held to the real ones by the conformance suite."""

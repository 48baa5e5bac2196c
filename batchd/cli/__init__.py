"""The command line: commands call the app, and turn what came of it into words and an exit code."""

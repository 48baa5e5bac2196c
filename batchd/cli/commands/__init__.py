"""The commands as Typer knows them: names, options and help. What they do is imported when they are called."""

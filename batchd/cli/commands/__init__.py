"""The commands as Typer knows them: names, options, help. What they do is imported when they are called."""

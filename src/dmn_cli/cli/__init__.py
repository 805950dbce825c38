"""The command line: thin commands over plain functions. Typer and Rich live here alone."""

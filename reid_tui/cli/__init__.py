"""The command line: typer lives here only."""

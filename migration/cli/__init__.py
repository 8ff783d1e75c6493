"""The command `migrate`: what an operator does without the UI. Every migration it runs is a Dagster run.

`main` holds the commands, `running` makes the Dagster run and follows it, `output` prints.
"""

from migration.cli.main import main

__all__ = ["main"]

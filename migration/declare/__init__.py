"""How a migration is declared: a system, its staged frames and target tables, and what Dagster makes of them.

`system` holds the declarations, `step` what one asset does for one export and partition inside its transaction,
`run` the options that all steps of a run share, `asset` the Dagster asset built around it all.
"""

"""From one legacy value of the billing system to a value of ours; every function here is pure and never raises.

A scalar parser takes a legacy value and returns one of ours or a `Problem`; its plural takes a column of cells and
returns a `Parsed` column.
"""

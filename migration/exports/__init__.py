"""The room that reads immutable exports: which files a table has, what they must look like, and their rows in batches.

Nothing here knows a legacy system or what a value means: cells leave this room as the file has them. What a row is
worth is decided by `migration.outcome` and the systems' rules.
"""

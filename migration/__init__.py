"""What the five migrations share: exports, parsing, the warehouse, declarations, checks, automation and the CLI.

Nothing in here knows a legacy system; the five `*_assets` packages import from here and never from each other.
"""

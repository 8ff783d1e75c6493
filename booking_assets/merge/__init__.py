"""The merge of the two systems, as pure functions: frames in, frames out, no files, no database, no clock.

bridge (which package is which product and variant), identity (which rows are one booking, and its key), items (what the
active items of a booking add up to), resolve (one value of two, and what was decided against), contact (whom to reach),
statuses (payment and operations), logs (audit, queue and merge rows and their keys), frames (columns as arrays).

Whole columns are worked on at once: rows are sorted by booking once, and a booking is a stretch of rows from then on.
Only what conflicts is looked at row by row.
"""

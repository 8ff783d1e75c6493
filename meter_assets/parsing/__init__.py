"""From the legacy values of the METER export to ours, a module per kind of value.

ids, money, dates (dates and times), booleans, text, labels, statuses (closed and open vocabularies made of labels),
problem (what a parser returns when there is no value). Each kind has a scalar parser, which takes any legacy value and
never raises, and a column parser named in the plural, which gives the same results for a whole column of cells.
"""

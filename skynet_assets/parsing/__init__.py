"""From one legacy value of the Skynet export to one value of ours: pure scalar functions, a module per subject.

text (plain text and name keys), money, dates, identity (nik, kk), phone, coordinates, photos (identity-card photos),
statuses (connection, payment, package speed, branch counts), pppoe (account and secret), problem (what a parser
returns when there is no value). A parser takes any JSON value, never raises and knows no frame; `parse_each` maps it
over a column.
"""

"""From the legacy values of the booking export to ours, a module per kind of value.

texts, numbers (whole numbers, keys, amounts, booleans), currencies, times (moments, days, clocks), phones, contacts
(names and e-mails, and which of them are placeholders), json_values, payloads (what a payload's hash is made of), names
(slugs and names as they are compared), statuses (vocabularies), keys (UUIDs of legacy rows), bookings (whole rows of
the two booking tables), mails (whole rows of the e-mail tables, and the payload of an event), problem (what a parser
returns when there is no value), warnings. Each kind has a scalar parser, which takes any legacy value and never raises;
most have a column parser named in the plural, which gives the same results for a whole column of cells.
"""

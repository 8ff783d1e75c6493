"""The room that makes an export of a legacy database: read through SQLAlchemy, never written to.

`servers` says what each kind of server must say of itself (`mysql`, `postgresql`, `sqlite` do), `snapshot` opens one
consistent view of a database, `plan` decides which of its tables and columns are exported, `values` turns what a driver
gives into what JSON holds, `exporting` streams the tables into an export and publishes it, `failures` says what went
wrong. What the values mean is for the systems' rules; the file formats are `migration.exports.writing`.
"""

"""The warehouse: connections to the target database, and every way in which rows get into it and out."""

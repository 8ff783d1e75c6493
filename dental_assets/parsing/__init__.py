"""One legacy value to one value of ours: pure functions that never raise, and their whole-column forms.

Each has the same order: a value that means nothing is NULL, then the rule of its type decides. What a type does not
allow is INVALID: it counts as nothing, and warns with the code of its type.
"""

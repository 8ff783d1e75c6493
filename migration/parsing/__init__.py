"""From a value as the legacy file has it to a value of ours; every function here is pure."""

"""Measurements that the README quotes: ratios of whole paths against plain COPY, several runs, the median."""

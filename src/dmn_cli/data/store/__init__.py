"""The prepared data set on disk: written as a stream, read memory-mapped."""

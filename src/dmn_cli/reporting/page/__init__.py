"""One HTML page about a run: all of it in one file, which fetches nothing and needs nothing."""

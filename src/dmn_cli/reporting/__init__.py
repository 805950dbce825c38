"""What a run is and how it answers, to be looked at: plots, and one page with all of it."""

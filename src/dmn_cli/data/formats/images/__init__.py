"""Stories that are pictures: made here, from a folder, or as DAQUAR was published."""

"""What a user reads: the course of a run, errors explained, fewer warnings."""

"""One run in several processes: all take the same steps, each on its part. Imported where there are several."""

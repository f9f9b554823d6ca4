"""What is learned: networks, distances, losses."""

"""What an embedding is worth: retrieval, verification, and its picture in two dimensions."""

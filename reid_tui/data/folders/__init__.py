"""A person's own images: which layouts there are, how pictures are decoded and kept, and what is wrong with them."""

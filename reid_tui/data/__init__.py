"""Images in: data sets by name, their identities and splits, and pairs drawn from them."""

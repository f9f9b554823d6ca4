"""How a run begins: new, resumed, repeated; each gives one `Opening`."""

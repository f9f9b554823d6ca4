"""The dashboard. The only package that imports textual."""

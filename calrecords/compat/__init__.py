"""Drop-in replacements, so that a pipeline switches to calrecords by changing an import."""

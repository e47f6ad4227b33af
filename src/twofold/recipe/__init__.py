"""conda recipes, in and out."""

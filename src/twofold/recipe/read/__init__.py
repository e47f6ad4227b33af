"""Read recipes: meta.yaml (conda-build) and recipe.yaml (CEP 13 and 14)."""

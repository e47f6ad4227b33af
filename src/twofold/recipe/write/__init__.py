"""Write recipes: meta.yaml and recipe.yaml of a project, and meta.yaml as recipe v1."""

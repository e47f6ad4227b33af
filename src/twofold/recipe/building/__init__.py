"""Build recipes: from wheels where possible, else with py-rattler-build."""

"""Installing a release in a virtual environment or a conda environment."""

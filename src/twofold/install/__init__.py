"""Install a release into a virtual environment or a conda environment."""

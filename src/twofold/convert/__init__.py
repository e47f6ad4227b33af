"""From a wheel to a conda package: dependencies, names, layout."""

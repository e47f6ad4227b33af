from setuptools import setup

setup(
    name="my_package",
    version="1.0.0",
    packages=["my_package"],
    install_requires=["numpy"],
)

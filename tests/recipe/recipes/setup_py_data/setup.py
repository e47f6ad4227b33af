from setuptools import find_packages, setup

VERSION = "0.9"

if __name__ == "__main__":
    setup(
        name="Data-Driven",
        version=VERSION,
        packages=find_packages(),
        description="read without being run",
        url="https://example.invalid/data",
        python_requires=">=3.8",
        install_requires=["attrs >=20", "pyyaml"],
    )

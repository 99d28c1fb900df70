# Autor: Jörg
from setuptools import setup

setup(name="alt")

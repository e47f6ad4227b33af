from .module1 import function1

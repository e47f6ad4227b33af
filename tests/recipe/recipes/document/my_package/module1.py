def function1():
    return "function 1"

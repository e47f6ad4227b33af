made = 2

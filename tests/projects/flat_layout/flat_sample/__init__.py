WORD = "flat"

"""One module per upload protocol; each implements Target. `kinds` is the table of them."""

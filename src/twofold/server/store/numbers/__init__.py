"""Numbers: downloads as they are counted, and what takes how much room."""

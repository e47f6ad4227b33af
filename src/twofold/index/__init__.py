"""From listings to the pages of an index: pure functions, and a folder as a static channel."""

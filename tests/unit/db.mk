# (one block a test)

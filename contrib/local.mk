EXTRA_DIST += contrib/fetch-corpus

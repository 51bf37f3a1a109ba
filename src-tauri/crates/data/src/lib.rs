//! Projects and dataset versions: the repository, DVC files, content cache, push and pull.

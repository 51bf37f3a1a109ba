//! Reads dvc.yaml, builds the graph, says what is stale and why; starts nothing.

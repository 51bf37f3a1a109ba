//! Experiments, runs, metrics, model registry, and the MLflow protocol over them.

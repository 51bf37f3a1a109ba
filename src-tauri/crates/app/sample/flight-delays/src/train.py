"""Train: gradient boosting over schedule, route and weather, tracked by MLflow."""

from pathlib import Path

import joblib
import mlflow
import pandas as pd
import yaml
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder
from threadpoolctl import threadpool_limits

from features import CATEGORIES, COLUMNS, LABEL, NUMBERS


def build_model(params: dict) -> Pipeline:
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), CATEGORIES),
        ("passthrough", NUMBERS),
        verbose_feature_names_out=False,
    )
    boosting = HistGradientBoostingClassifier(
        learning_rate=params["learning_rate"],
        max_iter=params["max_iter"],
        max_leaf_nodes=params["max_leaf_nodes"],
        min_samples_leaf=params["min_samples_leaf"],
        early_stopping=False,
        random_state=params["seed"],
    )
    return Pipeline([("columns", columns), ("boosting", boosting)])


def main() -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())["model"]
    rows = pd.read_parquet("data/train.parquet")

    # The same rows make the same file on every machine: it keeps the number of threads, and, for metrics that come after
    # training, the id of the run. There are none of those here: `evaluate` is a stage of its own.
    mlflow.sklearn.autolog(log_input_examples=True, log_post_training_metrics=False)
    with threadpool_limits(limits=1), mlflow.start_run():
        model = build_model(params).fit(rows[COLUMNS], rows[LABEL])

    joblib.dump(model, "model.joblib")
    print(f"trained on {len(rows):,} flights, {rows[LABEL].mean():.1%} of them late")


if __name__ == "__main__":
    main()

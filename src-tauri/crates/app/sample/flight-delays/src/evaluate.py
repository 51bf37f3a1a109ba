"""Evaluate: scores on the days that training never saw."""

import json
from pathlib import Path

import joblib
import pandas as pd
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score, f1_score, log_loss, roc_auc_score, roc_curve

from features import COLUMNS, LABEL


def main() -> None:
    rows = pd.read_parquet("data/heldout.parquet")
    model = joblib.load("model.joblib")
    score = model.predict_proba(rows[COLUMNS])[:, 1]
    label = rows[LABEL]

    metrics = {
        "auc": roc_auc_score(label, score),
        "log_loss": log_loss(label, score),
        "accuracy": accuracy_score(label, score >= 0.5),
        "f1": f1_score(label, score >= 0.5),
        "rows": len(rows),
    }
    Path("metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")

    plots = Path("plots")
    plots.mkdir(exist_ok=True)
    fpr, tpr, _ = roc_curve(label, score)
    every = max(1, len(fpr) // 500)
    pd.DataFrame({"fpr": fpr[::every], "tpr": tpr[::every]}).to_csv(plots / "roc.csv", index=False)
    observed, predicted = calibration_curve(label, score, n_bins=10)
    pd.DataFrame({"predicted": predicted, "observed": observed}).to_csv(plots / "calibration.csv", index=False)
    print(", ".join(f"{name} {value:.3f}" for name, value in metrics.items() if name != "rows"))


if __name__ == "__main__":
    main()

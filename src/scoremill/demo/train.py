"""Train a pipeline on training.csv; write model.joblib, and sample.csv with some of its input."""

from __future__ import annotations

import joblib
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NUMBERS = ["distance", "passengers"]
WORDS = ["vendor", "payment"]


def main() -> None:
    """Train, and write both files to the current folder."""
    training = pd.read_csv("training.csv")
    features = make_column_transformer(
        (StandardScaler(), NUMBERS), (OneHotEncoder(handle_unknown="ignore", sparse_output=False), WORDS)
    )
    model = make_pipeline(features, LogisticRegression()).fit(training[NUMBERS + WORDS], training["tipped"])
    joblib.dump(model, "model.joblib")
    training[NUMBERS + WORDS].head(500).to_csv("sample.csv", index=False)
    accuracy = model.score(training[NUMBERS + WORDS], training["tipped"])
    print(f"model.joblib predicts {accuracy:.0%} of the training rows correctly; sample.csv has some of them")


if __name__ == "__main__":
    main()

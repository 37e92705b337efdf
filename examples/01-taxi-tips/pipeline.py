"""The model: will the passenger leave a tip? Seven columns of a trip in, two probabilities out.

The functions below are part of the fitted pipeline, so this module travels with it:
`scoremill model pack … --code pipeline.py`.
"""

from __future__ import annotations

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

COLUMNS = (
    "vendor_name",
    "Trip_Pickup_DateTime",
    "Passenger_Count",
    "Trip_Distance",
    "Payment_Type",
    "Fare_Amt",
    "surcharge",
)
"""The columns that the model reads, 7 of 18."""
VENDORS = ["CMT", "DDS", "VTS"]
PAYMENTS = ["cash", "credit", "dispute", "no charge"]
AMOUNTS = ["Passenger_Count", "Trip_Distance", "Fare_Amt", "surcharge"]


def hour_of_day(times: pd.DataFrame) -> pd.DataFrame:
    """Return the hour of each datetime, 0 to 23."""
    hours: pd.DataFrame = times.apply(lambda column: column.dt.hour)
    return hours


def lower_case(texts: pd.DataFrame) -> pd.DataFrame:
    """Return each text in lower case, because vendors write CASH or Cash."""
    lowered: pd.DataFrame = texts.apply(lambda column: column.str.lower())
    return lowered


def build() -> Pipeline:
    """Return the unfitted pipeline, for data frames with at least COLUMNS."""
    encode = {"handle_unknown": "ignore", "sparse_output": False}
    features = ColumnTransformer(
        [
            ("hour", make_pipeline(FunctionTransformer(hour_of_day), StandardScaler()), ["Trip_Pickup_DateTime"]),
            ("vendor", OneHotEncoder(categories=[VENDORS], **encode), ["vendor_name"]),
            (
                "payment",
                make_pipeline(FunctionTransformer(lower_case), OneHotEncoder(categories=[PAYMENTS], **encode)),
                ["Payment_Type"],
            ),
            ("amounts", StandardScaler(), AMOUNTS),
        ]
    )
    return make_pipeline(features, LogisticRegression())

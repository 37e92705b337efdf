"""PURE, given a listing: the partitions a job is cut into, each with a stable id and number."""

from .build import build_plan
from .discover import Listing
from .match import Match, match_columns
from .partition import Group, Partition, Piece, Source, make_partition, piece_at
from .plan import Plan, read_groups, write_groups
from .problem import Problem
from .settings import Needs, Settings

__all__ = [
    "Group",
    "Listing",
    "Match",
    "Needs",
    "Partition",
    "Piece",
    "Plan",
    "Problem",
    "Settings",
    "Source",
    "build_plan",
    "make_partition",
    "match_columns",
    "piece_at",
    "read_groups",
    "write_groups",
]

"""PURE, given a listing: the partitions a job is cut into, each with a stable id and number."""

from .build import Survey, build_plan, take_survey
from .discover import Excluded, discover
from .earlier import Earlier
from .match import Match, match_columns
from .partition import Group, Partition, Piece, Source, make_partition, piece_at, whole_pieces
from .plan import Plan, read_groups, write_groups
from .problem import Problem
from .settings import Needs, Settings

__all__ = [
    "Earlier",
    "Excluded",
    "Group",
    "Match",
    "Needs",
    "Partition",
    "Piece",
    "Plan",
    "Problem",
    "Settings",
    "Source",
    "Survey",
    "build_plan",
    "discover",
    "make_partition",
    "match_columns",
    "piece_at",
    "read_groups",
    "take_survey",
    "whole_pieces",
    "write_groups",
]

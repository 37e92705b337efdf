"""The plan of a job: partitions with stable ids and numbers, settings, and every problem; pure, given a listing."""

from .build import Survey, build_plan, take_survey
from .match import Match, match_columns
from .partition import Group, Partition, Piece, make_partition, piece_at, whole_pieces
from .plan import Plan, read_groups, write_groups
from .settings import Needs, Settings

__all__ = [
    "Group",
    "Match",
    "Needs",
    "Partition",
    "Piece",
    "Plan",
    "Settings",
    "Survey",
    "build_plan",
    "make_partition",
    "match_columns",
    "piece_at",
    "read_groups",
    "take_survey",
    "whole_pieces",
    "write_groups",
]

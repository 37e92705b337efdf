"""The plan of a job: partitions with stable ids and numbers, settings, and every problem; pure, given a listing."""

from .build import Survey, build_plan, take_survey
from .match import Match, match_columns
from .parity import EVERYTHING, NOTHING, Sample, choose_batches, rank
from .partition import Group, Partition, Piece, make_partition, piece_at, whole_pieces
from .plan import Plan, read_groups, write_groups
from .settings import Needs, Settings

__all__ = [
    "EVERYTHING",
    "NOTHING",
    "Group",
    "Match",
    "Needs",
    "Partition",
    "Piece",
    "Plan",
    "Sample",
    "Settings",
    "Survey",
    "build_plan",
    "choose_batches",
    "make_partition",
    "match_columns",
    "piece_at",
    "rank",
    "read_groups",
    "take_survey",
    "whole_pieces",
    "write_groups",
]

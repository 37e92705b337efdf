"""The version of scoremill: of the library, the images and the chart."""

__version__ = "0.1.0"

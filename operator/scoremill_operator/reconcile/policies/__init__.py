"""One policy a file: a Look in, the Step that it demands out, or None where it has nothing to say."""

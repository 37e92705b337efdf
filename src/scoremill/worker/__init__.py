"""What runs in a task: read, predict, write; everything here runs on workers."""

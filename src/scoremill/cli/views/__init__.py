"""What people and programs read: tables, lines, progress and JSON documents."""

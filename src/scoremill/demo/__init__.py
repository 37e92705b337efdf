"""Scripts that `scoremill demo` copies into its folder and runs there; nothing imports them."""

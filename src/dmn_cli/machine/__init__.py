"""What knows the computer: devices, cores, threads, processes."""

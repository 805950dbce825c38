"""What takes the time, by the quickest means at hand: one façade for each operation, a kernel for each machine."""

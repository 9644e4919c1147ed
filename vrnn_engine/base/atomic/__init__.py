"""What atomic writing is made of: hidden names, locks, the disk, and what killed processes have left."""

"""What ``python -m V3 bench`` is made of: the list of measurements, how one is run, and the page of their figures."""

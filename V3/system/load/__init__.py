"""A load on the robot: many whole calls at once, what they took, and the simulator in a process of its own."""

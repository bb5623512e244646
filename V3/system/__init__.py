"""The robot and the services it is made of."""

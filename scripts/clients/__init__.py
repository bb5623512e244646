"""What the streaming clients of scripts/ share: how to speak each dialect, the connection, the screen, the devices."""

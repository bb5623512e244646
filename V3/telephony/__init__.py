"""FreeSWITCH: its event-socket protocol, its commands, its causes, its one door."""

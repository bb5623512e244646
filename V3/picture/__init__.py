"""A call as a picture: its report, and its recording where there is one, on one clock (PNG and HTML)."""

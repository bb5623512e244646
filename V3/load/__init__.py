"""What a load showed, as figures: what a call took, percentiles, limits, the knee. Cores: no clock, no files."""

"""Its place puts ``tests/`` on the import path, for helpers that several rooms of tests share."""

"""Records of a folder as runs of an experiment tracker."""

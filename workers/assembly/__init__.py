"""What the step `assemble` makes, beside the joining itself: covers, files of single utterances."""

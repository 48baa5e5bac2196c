"""Each stage against fakes of its ports."""

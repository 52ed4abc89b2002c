"""The ground floor: files that are written whole or not at all, locks, and the formats that are read strictly."""

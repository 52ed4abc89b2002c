"""Torture: kills, corruptions, failing disks and crowds of readers, against libraries of known content."""

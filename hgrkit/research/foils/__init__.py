"""Foils: sentences that differ from a caption in one respect and are wrong for its video (HGR, section 4.4)."""

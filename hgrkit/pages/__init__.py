"""Why a clip was found: its film strip, every phrase over time, and the page and the picture that show them."""

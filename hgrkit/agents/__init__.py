"""For agents: a server of the Model Context Protocol over a library, and the skill that says how to use it."""

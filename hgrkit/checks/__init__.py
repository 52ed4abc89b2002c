"""What is given is checked here: arguments of public calls, and settings that configs and files hold."""

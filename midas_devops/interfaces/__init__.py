"""How people and scripts reach the agent: command line, HTML report, demo."""

"""Models: stacks of layers, their summary, their trace."""

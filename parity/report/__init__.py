"""Reports: the values, and their forms for a terminal, as JSON and as HTML."""

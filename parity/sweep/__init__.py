"""`parity sweep`: every input of an activation against its true value, with a verdict that is a proof."""

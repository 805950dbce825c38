"""The model directory: a network with all that it takes to ask it things."""

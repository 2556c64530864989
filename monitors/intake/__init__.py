"""The intake of a model: requests drawn for the shadow, repeats among its rows, and the hosts that computed them."""

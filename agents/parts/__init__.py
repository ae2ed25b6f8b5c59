"""What papers share: the contract, equations, networks, gradient descent."""

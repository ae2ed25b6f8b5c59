"""Parts shared by the papers: the contract, equations, networks, gradient descent."""

"""Making the weights: data, tasks, the loop, recipes and evaluation."""

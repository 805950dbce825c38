"""Systems that stand beside the Dynamic Memory Network, each as its paper has it."""

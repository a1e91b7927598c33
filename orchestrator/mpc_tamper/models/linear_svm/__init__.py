"""A linear support vector machine on two classes."""

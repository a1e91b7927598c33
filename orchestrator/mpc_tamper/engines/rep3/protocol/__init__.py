"""Replicated secret sharing among three parties: sharings, pads, inputs, openings, multiplication."""

"""Bytes between parties: frames, links and the channel that counts them."""

"""Distributed zero-knowledge proofs that a party sent what the passive protocol prescribes (docs/security.md)."""

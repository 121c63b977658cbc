"""The lead book: parties, their leads, what becomes of them, and who is to do what."""

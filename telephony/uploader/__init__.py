"""The program that a PBX on another machine sends its recordings with: one file, for Python 3.8, with nothing besides.

It is copied to the PBX (docs/how_to/connect_your_asterisk.md) and imports nothing of ours.
"""

"""Spreadsheets into the lead book: read, judged row by row, carried out whole or not at all."""

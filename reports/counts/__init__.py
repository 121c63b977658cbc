"""What is counted, a file a subject: each count is one SQL question that gives the things behind its number."""

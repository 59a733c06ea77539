"""What a user does, end to end: settings, ingestion, look-up and download.

The parts below know nothing of each other; here they are put together.
"""

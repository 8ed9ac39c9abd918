"""What touches the API server: requests, watches, the view in memory, queue and Lease."""

"""What a Prometheus and a Grafana are given: the dashboard, and tools to try it all out."""

"""What linters of others say about the manifests."""

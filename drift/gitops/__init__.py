"""What is known about Argo CD, Flux, Helm and kapp: field managers, tracking labels, synced revisions, opt-outs."""

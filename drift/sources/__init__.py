"""The desired side: reads files and folders of manifests the way kubectl does. Source -> `Manifest`."""

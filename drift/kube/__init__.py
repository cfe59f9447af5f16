"""The live side: a cluster, read with get and list alone, or a dump of one. Nothing here can write."""

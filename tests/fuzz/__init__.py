"""Whatever is read, the reporter ends in a report or in one clear error: never in another exception, nor too late."""

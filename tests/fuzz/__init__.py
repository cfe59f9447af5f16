"""For any input, the reporter ends with a report or one clear error: no other exception, and in bounded time."""

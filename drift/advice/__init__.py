"""What a user can do about a finding: one sentence, and the commands to look closer, keep it, revert it or sync it."""

"""What other tools report although nothing is wrong must stay silent here: tests on a real API server, by topic."""

"""What several tests share: processes of ours to start, freeze and kill, and ledgers."""

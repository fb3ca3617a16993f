"""What ``chorus up`` runs on one machine."""

"""The processes that ``chorus up`` runs on one machine."""

"""An operator's work on an installation of its own: back up, restore, reconcile."""

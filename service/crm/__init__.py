"""What connections to CRMs need of other rooms, and the loops that keep them going."""

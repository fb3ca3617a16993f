-- Creates a delivery of an event to one destination, regardless of its events (for a test). Returns the delivery's id.
-- A: event, owner, destination, type, now
return deliver(A.event, A.owner, A.destination, A.type, A.now)

-- Lets an event wait for one destination, whatever that asks for (a test). Answers the delivery's id.
-- A: event, owner, destination, type, now
return deliver(A.event, A.owner, A.destination, A.type, A.now)

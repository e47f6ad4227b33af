"""Tables by subject, and what all of them are made with; `store.schema` has them together."""

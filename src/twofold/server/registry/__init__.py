"""The registry's operations on channels: publish, label, promote, yank, delete, query.

Every operation takes the actor first, checks the permission, changes records in one transaction
(`Registry.transaction`), re-renders the pages that the change touches in that transaction, and
records it in the audit log. It raises Refused (with `code` and HTTP-like `status`) for everything
that the caller can mend. All operations are synchronous; the web calls them in a thread.
"""

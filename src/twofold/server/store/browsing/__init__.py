"""Queries of what people read: releases of a project, who uploaded them, which names have pages."""

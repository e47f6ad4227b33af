"""The rules, one module a family; `projects` and `artifacts` say which of them run where."""

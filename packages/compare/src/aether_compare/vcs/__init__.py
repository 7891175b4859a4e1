"""The git repository that revisions come from."""

"""A judge resumes: what was judged after its latest snapshot is judged again."""

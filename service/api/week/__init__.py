"""The week for those who decide: what happened, in words and figures, as the JSON that pages and letters show."""

"""The week as a page, as a letter in HTML or plain text, and over HTTP."""

"""`tightrope init`: a first configuration of a pair, from what runs on made-up rows and a file of rows show."""

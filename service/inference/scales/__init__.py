"""The scales of outputs, as rows show them."""

"""Small definitions that are copied, one by one and verbatim, into scripts that need them."""

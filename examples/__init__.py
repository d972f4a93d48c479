"""What a newcomer can try the product on."""

"""Pictures: masks over photographs, sheets of them, predictions beside the truth."""

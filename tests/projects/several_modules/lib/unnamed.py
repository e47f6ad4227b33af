NOT = "packed"
